"""What a director needs beside its table: the VIPs on its network device.

By hand: ``ip addr add 10.0.1.31/24 dev eth0 label eth0:1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_interface

from cluster.lvs.host import LOOPBACK, BoundAddress, HostWish
from cluster.lvs.table import IPAddress, Table
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _


class NoNetwork(ValueError):
    """A VIP lies in no network of the director, so nobody on the LAN would find it."""

    def __init__(self, vip: IPAddress, addresses: Sequence[BoundAddress]) -> None:
        self.sentence: Sentence = _(
            "{vip} is in no network of the director. Its networks are {networks}.",
            vip=vip,
            networks=listed(
                [str(b.interface.network) for b in own_addresses(addresses)]
            ),
        )
        super().__init__(str(self.sentence))


def wish(
    table: Table,
    vips: Iterable[tuple[IPAddress, int]],
    addresses: Sequence[BoundAddress],
) -> HostWish:
    """Return the wish for a director; *vips* come with the number of their label."""
    bound = tuple(vip_binding(vip, number, addresses) for vip, number in vips)
    return HostWish(addresses=bound, table=table)


def vip_binding(
    vip: IPAddress, number: int, addresses: Sequence[BoundAddress]
) -> BoundAddress:
    """Return where the VIP goes: device and prefix of the network that holds it."""
    for own in own_addresses(addresses):
        if vip in own.interface.network:
            prefix = own.interface.network.prefixlen
            label = f"{own.device}:{number}"
            return BoundAddress(own.device, ip_interface(f"{vip}/{prefix}"), label)
    raise NoNetwork(vip, addresses)


def own_addresses(addresses: Sequence[BoundAddress]) -> list[BoundAddress]:
    """The host's own addresses; a VIP is told by its label, ``eth0:1``."""
    return [b for b in addresses if b.device != LOOPBACK and ":" not in b.label]
