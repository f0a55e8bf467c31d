"""Does a client reach a service through the VIP? One question for curl(1) each."""

from __future__ import annotations

from cluster.lvs.command import Command
from cluster.lvs.table import ServiceAddress, Table, VirtualService
from cluster.lvs.terms import Protocol

# A sample of a large table is enough to see that the director is there.
MOST = 20


def asked(table: Table) -> list[ServiceAddress]:
    """Return the TCP services that should answer; UDP says nothing by itself."""
    found = (
        _asked(service)
        for service in table.services
        if any(server.weight for server in service.servers)
    )
    return [at for at in found if at][:MOST]


def _asked(service: VirtualService) -> ServiceAddress | None:
    """Return where it answers. Of all ports, or of a range, nobody knows one that is
    open; of a firewall mark one port stands for it."""
    at = service.at
    if at.protocol is Protocol.TCP and at.port:
        return at
    single = (
        ServiceAddress.of(one.protocol, one.address, one.first)
        for one in service.packets
        if one.protocol is Protocol.TCP and one.first == one.last
    )
    return next(single, None)


def connect(at: ServiceAddress) -> Command:
    """Return the question: whatever is said afterwards, a connection is enough."""
    return Command(
        (
            *("curl", "-s", "-o", "/dev/null", "--connect-timeout", "3", "-m", "5"),
            *("-w", "%{time_connect}", f"http://{at.switches[-1]}/"),
        )
    )


def is_connected(text: str) -> bool:
    """Read the answer: the seconds until the connection stood, 0 without one."""
    try:
        return float(text) > 0
    except ValueError:
        return False
