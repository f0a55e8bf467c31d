"""What NAT over IPv6 needs beside the table: forwarding, and no shortcut in the LAN.

By hand, on the director and on every real server::

    sysctl -w net.ipv6.conf.eth0.accept_ra=2 net.ipv6.conf.all.forwarding=1
    sysctl -w net.ipv6.conf.eth0.accept_redirects=0

A kernel that begins to forward drops the default routes that it has learned from routers
(rt6_purge_dflt_routers) unless ``accept_ra`` is 2. It also tells hosts in one LAN to
send straight to each other, and unlike in IPv4 no sysctl keeps it from that
(ip6_forward): after the first reply the real server would answer past the director.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cluster.lvs.host import BoundAddress, HostState
from cluster.lvs.sysctls import FORWARD6, of_device
from cluster.lvs.table import IPAddress, RealServer, Table
from cluster.lvs.terms import ForwardingMethod

Pairs = tuple[tuple[str, str], ...]


def director_sysctls(
    table: Table, own: Sequence[BoundAddress], state: HostState
) -> Pairs:
    """Return the sysctls of a director with the addresses *own*; none without NAT."""
    by_nat = any(
        server.method is ForwardingMethod.NAT and server.address.version == 6
        for service in table.services
        for server in service.servers
    )
    if not by_nat:
        return ()
    now = dict(state.sysctls)
    found = []
    for device in sorted({b.device for b in own if b.interface.version == 6}):
        key = of_device(device, "accept_ra", family=6)
        learns = now.get(key) == "1" and now.get(FORWARD6) == "0"
        if learns or now.get(key) == "2":
            found.append((key, "2"))
    return (*found, (FORWARD6, "1"))


def real_server_sysctls(
    uses: Iterable[tuple[IPAddress, RealServer]],
    rip: IPAddress,
    lan: Sequence[BoundAddress],
    state: HostState,
) -> Pairs:
    """Return those of a real server that stands in one LAN with a VIP.

    *uses* are the VIPs that it serves with its entries, *lan* the director's own
    addresses.
    """
    by_nat = [vip for vip, one in uses if one.method is ForwardingMethod.NAT]
    shares = rip.version == 6 and any(
        vip in own.interface.network and rip in own.interface.network
        for vip in by_nat
        for own in lan
    )
    devices = [b.device for b in state.addresses if shares and b.address == rip]
    return tuple((of_device(d, "accept_redirects", family=6), "0") for d in devices)
