"""A large cluster: services x 10 real servers, as rows of the database.

Django must be set up before this is imported.
"""

from __future__ import annotations

from dataclasses import replace

from cluster.lvs import rules
from cluster.models import Cluster, Host, RealServer, Vip, VirtualService
from cluster.remote.shell import Output
from tests.build import real_server
from tests.lab_in_memory import Lab as Site
from tests.model_host import ModelHost, output

PORTS = range(1000, 1250)  # of services, the same on each VIP
# As every port above is served on a real server, or nothing would come back.
LISTENING = "".join(f"tcp LISTEN 0 511 *:{port} *:*\n" for port in PORTS)
ADDRESSES = [f"10.0.1.{101 + n}" for n in range(10)]  # of real servers


def want_services(cluster: Cluster, count: int, on_a_vip: int = len(PORTS)) -> None:
    """Write *count* services by direct routing with a real server at each address."""
    hosts = {host.address: host for host in cluster.hosts.all()}
    for number in range((count - 1) // on_a_vip + 1):
        Vip.number_for(cluster, _vip(number))
    services = VirtualService.objects.bulk_create(
        VirtualService(
            cluster=cluster,
            address=_vip(n // on_a_vip),
            port=PORTS[0] + n % on_a_vip,
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
            for n, address in enumerate(ADDRESSES)
        ),
        batch_size=1000,
    )


def add_real_servers(cluster: Cluster, like: Host) -> None:
    """Add ``rs1`` and so on, reached as *like* is."""
    for n, address in enumerate(ADDRESSES):
        cluster.hosts.create(
            name=f"rs{n + 1}",
            role=Host.Role.REAL_SERVER,
            address=address,
            ssh_address=address,
            credential=like.credential,
            host_key=like.host_key,
        )


def _vip(number: int) -> str:
    return f"10.0.1.{31 + number}"


class Director(ModelHost):
    """A director in memory that takes a whole new table at once."""

    def _ipvsadm(self, words: tuple[str, ...], stdin: str) -> Output:
        if words != ("-R",) or self.state.table.services:
            answer: Output = super()._ipvsadm(words, stdin)  # type: ignore[no-untyped-call]
        else:
            self.state = replace(self.state, table=rules.parse(stdin))
            answer = output()
        return answer


def in_memory(services: int) -> Site:
    """Return a cluster that wants *services*, and whose hosts have nothing yet."""
    site = Site()
    site.cluster.hosts.exclude(name="lb01").delete()
    site.models = {"lb01": Director(site.models["lb01"].state)}
    add_real_servers(site.cluster, site.host("lb01"))
    for n, address in enumerate(ADDRESSES):
        model = site.models[f"rs{n + 1}"] = ModelHost(real_server(address))
        model.sockets = LISTENING
    want_services(site.cluster, services)
    return site


def begin_anew(site: Site, services: int) -> None:
    """Let the cluster have another number of services, applied to hosts that had none."""
    site.cluster.services.all().delete()
    site.cluster.hosts.update(footprint={})
    for model in site.models.values():
        model.state = model.booted_with
    want_services(site.cluster, services)
    assert site.apply().state == "converged"


def weigh_one_more() -> None:
    server = RealServer.objects.earliest("pk")
    server.weight += 1
    server.save()
