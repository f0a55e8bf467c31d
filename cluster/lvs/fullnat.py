"""FULLNAT by a patched kernel: ``ipvsadm -a ... --fullnat`` and local addresses.

Neither the mainline kernel nor its ipvsadm has it. The patched tool says so in its help;
each service is given local addresses (``-P -t VIP:port -z LIP``), and connections reach
the real servers from these, without conntrack or a rule of the firewall. ``-S`` lists
real servers with ``-b`` and no local address, ``-G -t VIP:port`` lists those:

    VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS
    10.0.1.31:80         1
                                  10.0.1.201           0          12
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address

from cluster.lvs.command import Command
from cluster.lvs.source_nat import pool
from cluster.lvs.table import IPAddress, RealServer, ServiceAddress, Table
from cluster.lvs.table import VirtualService as Service
from cluster.lvs.terms import ForwardingMethod

HELP = Command(("ipvsadm", "--help"), root=True)
_TITLE = ["VIP:VPORT", "TOTAL", "SNAT_IP", "CONFLICTS", "CONNS"]
FULLNAT = ForwardingMethod.FULLNAT


def is_patched(help_text: str) -> bool:
    """Whether the help is that of a patched kernel's tool.

    DPVS has the same words, but it is a data plane of its own: it wants the name of a
    device with each local address (``--ifname``), and ``ip`` knows none of its devices.
    """
    words = help_text.split()
    return {"--fullnat", "--add-laddr", "--del-laddr"} <= {*words} and (
        "--ifname" not in words
    )


def is_used(table: Table) -> bool:
    """Whether real servers are listed that no other tool could have made."""
    return any(_by_fullnat(service) for service in table.services)


def _by_fullnat(service: Service) -> bool:
    return any(server.method is FULLNAT for server in service.servers)


def question(at: ServiceAddress) -> Command:
    return Command(("ipvsadm", "-G", *at.switches), root=True)


def questions(table: Table) -> dict[ServiceAddress, Command]:
    """Return what lists the local addresses of each service: the whole list has no
    protocol, so that TCP and UDP on one port could not be told apart."""
    return {
        service.at: question(service.at)
        for service in table.services
        if service.at.protocol
    }


def parse_local(text: str) -> tuple[IPAddress, ...]:
    """Read ``ipvsadm -G -t VIP:port``; raises ValueError for anything else."""
    lines = [line.split() for line in text.splitlines()]
    rows = lines[2:]
    complete = len(lines) > 1 and lines[1][1:] == [str(len(rows))]
    if lines[:1] != [_TITLE] or not complete or any(len(row) != 3 for row in rows):
        raise ValueError(f"no list of local addresses: {text[:80]!r}")
    return tuple(ip_address(row[0]) for row in rows)


def with_local(
    table: Table, local: Mapping[ServiceAddress, tuple[IPAddress, ...]]
) -> Table:
    """Return the table with what ``ipvsadm -S`` leaves out: the local addresses."""
    services = (replace(s, laddrs=local.get(s.at, ())) for s in table.services)
    return Table(tuple(services), table.unknown)


def spelled(server: RealServer) -> RealServer:
    """Return the real server as the patched tool has it."""
    is_nat = server.method is ForwardingMethod.NAT
    return replace(server, method=FULLNAT) if is_nat else server


@lru_cache
def listed(method: ForwardingMethod) -> frozenset[str]:
    """Return what the kernel may have in the column Forward for a method of a wish."""
    spellings = {method, FULLNAT} if method is ForwardingMethod.NAT else {method}
    return frozenset(one.listed for one in spellings)


def rendered(table: Table, sources: Mapping[ServiceAddress, IPAddress]) -> Table:
    """Return the table for a director with the patched tool; *sources* has the local
    address of each service without a pool."""

    if not sources:
        return table

    def of(service: Service) -> Service:
        if service.at not in sources:
            return service
        local = pool(service.local) or [sources[service.at]]
        servers = tuple(map(spelled, service.servers))
        return replace(service, servers=servers, laddrs=tuple(local))

    return replace(table, services=tuple(map(of, table.services)))


def as_wished(service: Service) -> Service:
    """Return a listed service in the words of a wish, which do not depend on the tool:
    NAT, source replaced, and a pool where the local addresses are a range.

    Other local addresses are left as they are: no wish can say them.
    """
    if not _by_fullnat(service) or not (local := _range(service.laddrs)):
        return service
    servers = tuple(
        replace(s, method=ForwardingMethod.NAT) if s.method is FULLNAT else s
        for s in service.servers
    )
    return replace(service, servers=servers, source_nat=True, local=local, laddrs=())


def _range(local: Iterable[IPAddress]) -> tuple[IPAddress, IPAddress] | None:
    ordered = sorted(local, key=int)
    if not ordered or any(address.version != 4 for address in ordered):
        return None
    ends = ordered[0], ordered[-1]
    return ends if pool(ends) == ordered else None
