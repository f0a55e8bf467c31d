"""What a real server of a DR or TUN service needs: the VIP, and silence about it.

By hand, on every real server::

    sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 ...
    ip addr add 10.0.1.31/32 dev lo label lo:1
    ip route add 10.0.1.31/32 dev lo

    ip addr add fd00::31/128 dev lo nodad preferred_lft 0 # IPv6: nothing but this

    modprobe ipip; ip link set tunl0 up                   # TUN: instead of lo
    sysctl -w net.ipv4.conf.tunl0.rp_filter=2
    ip addr add 10.0.1.31/32 dev tunl0 label tunl0:1

    modprobe fou; ip fou add port 6080 gue                # gue: beside tunl0
    modprobe ip_gre; ip link set gre0 up                  # gre: gre0 instead of tunl0
    ip link add gre-csum type gre local 10.0.1.6 icsum    # gre with checksum

The kernel uses the larger value of ``all`` and the device, see ip-sysctl, arp_ignore.
In IPv6 the tunnel is ip6tnl0 (or sit0 when the real server is reached over IPv4), nothing
filters by the way back, and the VIP stays on ``lo``. A host answers for an address only on the device that has it (ndisc_recv_ns), so
that ``lo`` is silence enough, and adds the route by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_interface
from typing import TypeAlias

from cluster.lvs.host import (
    BROUGHT,
    GRE_CSUM,
    INNER,
    LOOPBACK,
    TUNNEL,
    TUNNELS6,
    BoundAddress,
    HostState,
    HostWish,
    Route,
    Tunnel,
)
from cluster.lvs.sysctls import of_device
from cluster.lvs.table import IPAddress

# arp_ignore 1: answer only for addresses of the device that was asked.
# arp_announce 2: never use the VIP as the sender of an ARP request.
_SILENT = (("arp_ignore", "1"), ("arp_announce", "2"))
ARP_SYSCTLS = tuple(
    (of_device(device, name), value)
    for device in ("all", LOOPBACK)
    for name, value in _SILENT
)
Numbered: TypeAlias = Iterable[tuple[IPAddress, int]]


def tunnel_sysctls(device: str) -> tuple[tuple[str, str], ...]:
    """Return what a device that packets come out of needs.

    rp_filter 2, loose: packets out of the tunnel come from clients that are reached by
    another device. The larger of ``all`` and the device counts (IN_DEV_RPFILTER), so
    that this is enough, and the filter of every other device stays as it is.
    """
    return (
        *((of_device("all", name), value) for name, value in _SILENT),
        *((of_device(device, name), value) for name, value in _SILENT),
        (of_device(device, "rp_filter"), "2"),
    )


TUNNEL_SYSCTLS = tunnel_sysctls(TUNNEL)


def wish(
    served: Mapping[str, Numbered], rip: IPAddress, gue: Iterable[int] = ()
) -> HostWish:
    """Return the wish for a real server that has VIPs on *served* devices.

    ``lo`` is for DR services, the device of a tunnel for TUN services; *gue* are the
    UDP ports that it takes GUE out of.
    """
    whole = HostWish(gue=tuple(sorted(set(gue))))
    for device, vips in served.items():
        bound = tuple(_bound(device, vip, number) for vip, number in vips)
        if bound and device == LOOPBACK:
            by_arp = [b for b in bound if b.interface.version == 4]
            routes = tuple(Route(str(b.interface), LOOPBACK) for b in by_arp)
            whole |= HostWish(bound, routes, ARP_SYSCTLS if by_arp else ())
        elif bound:
            there = (_tunnel(device, rip),)
            needs = () if device in TUNNELS6 else tunnel_sysctls(device)
            whole |= HostWish(bound, sysctls=needs, tunnels=there)
    return whole


def _bound(device: str, vip: IPAddress, number: int) -> BoundAddress:
    if vip.version == 6:
        return BoundAddress(LOOPBACK, ip_interface(f"{vip}/128"))
    return BoundAddress(device, ip_interface(f"{vip}/32"), f"{device}:{number}")


def _tunnel(device: str, rip: IPAddress) -> Tunnel:
    if device == GRE_CSUM:
        return Tunnel(device, up=True, module="ip_gre", local=str(rip))
    module = next(name for name, devices in BROUGHT.items() if device in devices)
    return Tunnel(device, up=True, module=module)


def inner_vips(state: HostState) -> tuple[BoundAddress, ...]:
    """Return the addresses that make ARP silence necessary, ours or not."""
    return tuple(
        bound
        for bound in state.addresses
        if bound.device in INNER
        and bound.interface.version == 4
        and not bound.address.is_loopback
    )
