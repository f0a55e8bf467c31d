"""What a director needs beside its table: the VIPs on its network device.

By hand: ``ip addr add 10.0.1.31/24 dev eth0 label eth0:1``. IPv6 has no labels:
``ip addr add fd00::31/128 dev eth0 preferred_lft 0``, as keepalived does. The
prefix tells a VIP from the host's own address, and the director never speaks as it of
its own accord. ``ndisc_notify`` lets the kernel announce it. With NAT the replies come
back through the director, which must forward them: ``sysctl -w net.ipv4.ip_forward=1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_interface

from cluster.lvs import fullnat, marks, replies, source_nat
from cluster.lvs.host import LOOPBACK, BoundAddress, HostWish
from cluster.lvs.source_nat import SourceNat
from cluster.lvs.sysctls import ALONG_WITH_FORWARD, CONNTRACK, FORWARD, of_device
from cluster.lvs.table import IPAddress, Table, VirtualService
from cluster.lvs.terms import ForwardingMethod
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
    inner_vip: str = "",
    *,
    patched: bool = False,
) -> HostWish:
    """Return the wish for a director; *vips* come with the number of their label.

    The *inner_vip* is there while there is a service whose replies need it. *patched*:
    its ipvsadm knows FULLNAT, which is used instead of rules of the firewall.
    """
    bound = tuple(vip_binding(vip, number, addresses) for vip, number in vips)
    notify = tuple(
        (of_device(device, "ndisc_notify", family=6), "1")
        for device in sorted({b.device for b in bound if b.interface.version == 6})
    )
    replacing = [s for s in table.services if s.source_nat and s.servers]
    rules = tuple(_source_nat(service, addresses) for service in replacing)
    pools = [source_nat.pool(s.local) for s in replacing]
    local = {address: None for pool in pools for address in pool}
    if inner_vip and replies.nat_servers(table, [s.at for s in replacing]):
        local[ip_address(inner_vip)] = None
    tracking = ((CONNTRACK, "1"),) if rules and not patched else ()
    sources = {rule.at: rule.source for rule in rules} if patched else {}
    return HostWish(
        addresses=(*bound, *_local_addresses(local, addresses)),
        table=fullnat.rendered(table, sources),
        sysctls=(*forwarding(table, addresses), *tracking, *notify),
        source_nat=() if patched else rules,
        marks=tuple(marks.rules_of(table.services)),
    )


def _source_nat(
    service: VirtualService, addresses: Sequence[BoundAddress]
) -> SourceNat:
    if not service.local:
        return SourceNat(service.at, _source(service, addresses))
    first, last = service.local
    return SourceNat(service.at, first, last if last != first else None)


def _local_addresses(
    pool: Iterable[IPAddress], addresses: Sequence[BoundAddress]
) -> Iterator[BoundAddress]:
    """Yield where the addresses of a pool go that are not the director's own."""
    own = {bound.address for bound in own_addresses(addresses)}
    for address in pool:
        if address not in own:
            yield vip_binding(address, 0, addresses)


def _source(service: VirtualService, addresses: Sequence[BoundAddress]) -> IPAddress:
    """Return the director's own address that its real servers shall answer to."""
    own = own_addresses(addresses)
    near = [*(server.address for server in service.servers), *service.vips]
    return next(
        bound.address
        for address in near
        for bound in own
        if address in bound.interface.network
    )


def forwarding(
    table: Table, addresses: Sequence[BoundAddress]
) -> tuple[tuple[str, str], ...]:
    """Return the sysctls that NAT needs; none without a NAT real server.

    In a single LAN the director would tell a real server by an ICMP redirect to send
    its replies straight to the client, which does not know that sender.
    """
    pairs = [
        (vip, server.address)
        for service in table.services
        for vip in service.vips
        for server in service.servers
        if server.method is ForwardingMethod.NAT and server.address.version == 4
    ]
    if not pairs:
        return ()
    shared = sorted(
        {
            own.device
            for own in own_addresses(addresses)
            for vip, rip in pairs
            if vip in own.interface.network and rip in own.interface.network
        }
    )
    quiet = ("all", *shared) if shared else ()
    return (
        (FORWARD, "1"),
        (ALONG_WITH_FORWARD, "0"),
        *((of_device(device, "send_redirects"), "0") for device in quiet),
    )


def vip_binding(
    vip: IPAddress, number: int, addresses: Sequence[BoundAddress]
) -> BoundAddress:
    """Return where the VIP goes: device and prefix of the network that holds it."""
    for own in own_addresses(addresses):
        if vip in own.interface.network:
            if vip.version == 6:
                return BoundAddress(own.device, ip_interface(f"{vip}/128"))
            prefix = own.interface.network.prefixlen
            label = f"{own.device}:{number}"
            return BoundAddress(own.device, ip_interface(f"{vip}/{prefix}"), label)
    raise NoNetwork(vip, addresses)


def own_addresses(addresses: Sequence[BoundAddress]) -> list[BoundAddress]:
    """The host's own addresses; a VIP is told by its label, ``eth0:1``, or in IPv6 by
    its prefix, 128: no network is reached by such an address."""
    return [
        b
        for b in addresses
        if b.device != LOOPBACK
        and ":" not in b.label
        and (b.interface.version == 4 or b.interface.network.prefixlen < 128)
    ]
