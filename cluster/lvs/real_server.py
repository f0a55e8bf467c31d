"""What a real server of a DR service needs: the VIP on lo, and silence about it.

By hand, on every real server::

    sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 ...
    ip addr add 10.0.1.31/32 dev lo label lo:1
    ip route add 10.0.1.31/32 dev lo

The kernel uses the larger value of ``all`` and the device, see ip-sysctl, arp_ignore.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_interface

from cluster.lvs.host import LOOPBACK, BoundAddress, HostState, HostWish, Route
from cluster.lvs.table import IPAddress

# arp_ignore 1: answer only for addresses of the device that was asked.
# arp_announce 2: never use the VIP as the sender of an ARP request.
ARP_SYSCTLS = (
    ("net.ipv4.conf.all.arp_ignore", "1"),
    ("net.ipv4.conf.all.arp_announce", "2"),
    ("net.ipv4.conf.lo.arp_ignore", "1"),
    ("net.ipv4.conf.lo.arp_announce", "2"),
)


def wish(vips: Iterable[tuple[IPAddress, int]]) -> HostWish:
    """Return the wish for a real server that answers for these VIPs."""
    bound = tuple(
        BoundAddress(LOOPBACK, ip_interface(f"{vip}/32"), f"{LOOPBACK}:{number}")
        for vip, number in vips
    )
    return HostWish(
        addresses=bound,
        routes=tuple(Route(str(b.interface), LOOPBACK) for b in bound),
        sysctls=ARP_SYSCTLS if bound else (),
    )


def vips_on_loopback(state: HostState) -> tuple[BoundAddress, ...]:
    """Return the addresses on lo that make ARP silence necessary, ours or not."""
    return tuple(
        bound
        for bound in state.addresses
        if bound.device == LOOPBACK and not bound.address.is_loopback
    )
