"""What a real server of a DR or TUN service needs: the VIP, and silence about it.

By hand, on every real server::

    sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 ...
    ip addr add 10.0.1.31/32 dev lo label lo:1
    ip route add 10.0.1.31/32 dev lo

    modprobe ipip; ip link set tunl0 up                   # TUN: instead of lo
    sysctl -w net.ipv4.conf.tunl0.rp_filter=2
    ip addr add 10.0.1.31/32 dev tunl0 label tunl0:1

The kernel uses the larger value of ``all`` and the device, see ip-sysctl, arp_ignore.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_interface
from typing import TypeAlias

from cluster.lvs.host import (
    INNER,
    LOOPBACK,
    TUNNEL,
    BoundAddress,
    HostState,
    HostWish,
    Route,
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
# rp_filter 2, loose: packets out of the tunnel come from clients that are reached by
# another device. The larger of ``all`` and the device counts (IN_DEV_RPFILTER), so
# that this is enough, and the filter of every other device stays as it is.
TUNNEL_SYSCTLS = (
    *((of_device("all", name), value) for name, value in _SILENT),
    *((of_device(TUNNEL, name), value) for name, value in _SILENT),
    (of_device(TUNNEL, "rp_filter"), "2"),
)
Numbered: TypeAlias = Iterable[tuple[IPAddress, int]]


def wish(by_route: Numbered, by_tunnel: Numbered = ()) -> HostWish:
    """Return the wish for a real server that answers for these VIPs.

    *by_route* are those of DR services, *by_tunnel* those of TUN services.
    """
    on_lo, on_tunnel = _bound(LOOPBACK, by_route), _bound(TUNNEL, by_tunnel)
    routed = HostWish(
        addresses=on_lo,
        routes=tuple(Route(str(b.interface), LOOPBACK) for b in on_lo),
        sysctls=ARP_SYSCTLS if on_lo else (),
    )
    tunneled = HostWish(
        addresses=on_tunnel,
        sysctls=TUNNEL_SYSCTLS if on_tunnel else (),
        tunnels=(TUNNEL,) if on_tunnel else (),
    )
    return routed | tunneled


def _bound(device: str, vips: Numbered) -> tuple[BoundAddress, ...]:
    return tuple(
        BoundAddress(device, ip_interface(f"{vip}/32"), f"{device}:{number}")
        for vip, number in vips
    )


def inner_vips(state: HostState) -> tuple[BoundAddress, ...]:
    """Return the addresses that make ARP silence necessary, ours or not."""
    return tuple(
        bound
        for bound in state.addresses
        if bound.device in INNER and not bound.address.is_loopback
    )
