"""A service as typed, what it may collide with, and whether an address can be its VIP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from cluster.lvs import director
from cluster.lvs.addresses import no_vip
from cluster.lvs.host import BoundAddress
from cluster.lvs.options import Options
from cluster.lvs.table import IPAddress, Packets, ServiceAddress, Tunnel
from cluster.lvs.terms import ForwardingMethod, Protocol
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one field: ``address``, or ``port`` of the server *row*."""

    field: str
    sentence: Sentence
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """A real server as typed; None is what could not be read, see Wrong."""

    row: int
    name: str
    address: IPAddress | None = None
    port: int | None = None
    method: ForwardingMethod = ForwardingMethod.DR
    upper: int | None = None
    lower: int | None = None
    tunnel: Tunnel | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A service as typed, as far as it could be read: one port of a VIP, or, *by_mark*,
    the packets that get a firewall mark."""

    address: IPAddress | None = None
    port: int | None = None
    protocol: Protocol = Protocol.TCP
    servers: tuple[Server, ...] = ()
    options: Options = field(default_factory=Options)
    by_mark: bool = False
    mark: int | None = None
    packets: tuple[Packets, ...] = ()

    @property
    def all_ports(self) -> bool:
        """Whether it is every port of its VIP, written as 0."""
        return self.port == 0 and not self.by_mark

    @property
    def vips(self) -> tuple[IPAddress, ...]:
        if self.by_mark:
            return tuple(dict.fromkeys(one.address for one in self.packets))
        return (self.address,) if self.address else ()

    @property
    def family(self) -> int | None:
        """4 or 6, None while nobody knows."""
        return self.vips[0].version if self.vips else None

    @property
    def carries(self) -> Protocol:
        """The protocol; UDP only when nothing else is among the packets."""
        if not self.by_mark:
            return self.protocol
        return carried([one.protocol for one in self.packets])


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a new service may collide with.

    *bound* are the addresses of the director (empty when it was never looked at),
    *hosts* the addresses of every host of the cluster with its name, *services* the
    other services that the operator wants, and *foreign* those that somebody made by
    hand on the director. *tunnels* lead to real servers of those other services.
    *synced* is a director that shall run a sync daemon, "" when none does.
    *marked* are packets that are another service's, *foreign_marks* set by rules of the
    firewall that nobody here has made.
    """

    director: str = ""
    bound: tuple[BoundAddress, ...] = ()
    hosts: tuple[tuple[IPAddress, str], ...] = ()
    services: tuple[ServiceAddress, ...] = ()
    foreign: tuple[ServiceAddress, ...] = ()
    tunnels: tuple[tuple[IPAddress, Tunnel], ...] = ()
    synced: str = ""
    marked: tuple[tuple[ServiceAddress, Packets], ...] = ()
    foreign_marks: tuple[int, ...] = ()

    @property
    def vips(self) -> set[IPAddress]:
        """The VIPs of the other services."""
        found = {at.address for at in self.services if at.address}
        return found | {packets.address for at, packets in self.marked}

    @property
    def networks(self) -> tuple[BoundAddress, ...]:
        return tuple(director.own_addresses(self.bound))

    def network_of(self, address: IPAddress) -> BoundAddress | None:
        return next((b for b in self.networks if address in b.interface.network), None)


def carried(protocols: Sequence[Protocol]) -> Protocol:
    """Return UDP when there is nothing else, or the first that is not."""
    others = (one for one in protocols if one is not Protocol.UDP)
    return next(others, Protocol.UDP if protocols else Protocol.TCP)


def refused_vip(vip: IPAddress, around: Surroundings) -> Sentence | None:
    """Return why the address cannot be a VIP, None when it can."""
    return no_vip(vip) or owned(vip, around) or on_lan(vip, around)


def owned(vip: IPAddress, around: Surroundings) -> Sentence | None:
    for address, name in around.hosts:
        if address == vip:
            return _("{vip} is {host}'s own address.", vip=vip, host=name)
    return None


def on_lan(vip: IPAddress, around: Surroundings) -> Sentence | None:
    if not around.networks:
        return None  # the director was never looked at: planning will tell
    own = around.network_of(vip)
    if own is None:
        return _(
            "{vip} is in no network of {director}: {networks}.",
            vip=vip,
            director=around.director,
            networks=listed([f"{b.device} {b.interface.network}" for b in around.networks]),
        )  # fmt: skip
    network = own.interface.network
    if isinstance(vip, IPv6Address):
        # The first address of an IPv6 network means "any router", RFC 4291, 2.6.1.
        if network.prefixlen < 127 and vip == network.network_address:
            return _("{vip} stands for every router of {network}.",
                     vip=vip, network=network)  # fmt: skip
        return None
    if network.prefixlen < 31 and vip == network.network_address:
        return _(
            "{vip} is the name of the network {network}.", vip=vip, network=network
        )
    if network.prefixlen < 31 and vip == network.broadcast_address:
        return _("{vip} is the broadcast address of {network}.",
                 vip=vip, network=network)  # fmt: skip
    return None
