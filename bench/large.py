"""A large cluster: services x 10 real servers, as rows of the database.

Django must be set up before this is imported.
"""

from __future__ import annotations

from cluster.models import Cluster, Host, RealServer, Vip, VirtualService

SERVERS = 10
PORTS = 250  # services on one VIP


def want_services(cluster: Cluster, count: int, servers: list[str]) -> None:
    """Write *count* services by direct routing with a real server at each address."""
    hosts = {host.address: host for host in cluster.hosts.all()}
    for number in range((count - 1) // PORTS + 1):
        Vip.number_for(cluster, _vip(number))
    services = VirtualService.objects.bulk_create(
        VirtualService(
            cluster=cluster,
            address=_vip(n // PORTS),
            port=1000 + n % PORTS,
            scheduler="wrr",
        )
        for n in range(count)
    )
    RealServer.objects.bulk_create(
        (
            RealServer(
                service=service,
                host=hosts.get(address),
                address=address,
                port=service.port,
                weight=1 + n % 7,
            )
            for service in services
            for n, address in enumerate(servers)
        ),
        batch_size=1000,
    )


def real_servers(cluster: Cluster, like: Host, count: int = SERVERS) -> list[str]:
    """Add managed real servers, reached as *like* is; return their addresses."""
    addresses = [f"10.0.1.{101 + n}" for n in range(count)]
    for n, address in enumerate(addresses):
        cluster.hosts.create(
            name=f"rs{n + 1}",
            role=Host.Role.REAL_SERVER,
            address=address,
            ssh_address=address,
            credential=like.credential,
            host_key=like.host_key,
        )
    return addresses


def _vip(number: int) -> str:
    return f"10.0.1.{31 + number}"
