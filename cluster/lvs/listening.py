"""Whether the daemons that services need listen on a real server, from ``ss``, see ss(8).

With direct routing and through a tunnel the packet arrives for the VIP, so a daemon that
listens on the address of its host alone never gets it; with NAT it arrives for the address
and the port of the real server. SCTP, and services of all ports or of ranges of them, are
not judged. A warning, never a difference: a rule of the host's firewall may lead packets
elsewhere, which ``ss`` does not tell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TypeAlias, TypeVar

from cluster.lvs.table import IPAddress, RealServer, Table, VirtualService
from cluster.lvs.terms import ForwardingMethod, Protocol
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _

T = TypeVar("T")
# Methods that leave the packet as the client sent it.
_FOR_THE_VIP = (ForwardingMethod.DR, ForwardingMethod.TUN)
_PROTOCOLS = {"tcp": Protocol.TCP, "udp": Protocol.UDP}


@dataclass(frozen=True, slots=True)
class Socket:
    """*address* is None for a socket that takes IPv4 and IPv6 at any address."""

    protocol: Protocol
    address: IPAddress | None
    port: int

    def takes(self, address: IPAddress) -> bool:
        """Return whether packets to this address come to the socket."""
        mine = self.address
        if mine is None:
            return True
        same = mine.version == address.version
        return same and (mine.is_unspecified or mine == address)


@dataclass(frozen=True, slots=True)
class Needed:
    """What a service needs on a real server of it: somebody who listens there."""

    service: str
    protocol: Protocol
    address: IPAddress
    port: int
    server: RealServer

    @property
    def key(self) -> str:
        place = f"{self.protocol.value} {self.address} {self.port}"
        return f"{self.service} {self.server.endpoint} {place}"


def parse(text: str) -> tuple[Socket, ...]:
    """Read ``ss -Hltun``; raises ValueError.

    >>> parse("tcp LISTEN 0 511 *:80 *:*")
    (Socket(protocol=<Protocol.TCP: 'tcp'>, address=None, port=80),)
    """
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        words = line.split()
        if len(words) < 5:
            raise ValueError(line[:80])
        if words[0] in _PROTOCOLS:
            place, colon, port = words[4].rpartition(":")
            if not colon:
                raise ValueError(line[:80])
            address = _address(place)
            found.append(Socket(_PROTOCOLS[words[0]], address, int(port)))
    return tuple(found)


def _address(text: str) -> IPAddress | None:
    # "127.0.0.53%lo", "[fe80::1]%eth0"; an old ss writes IPv6 without brackets, and "::"
    # for a socket that may take IPv4 as well.
    bare = text.partition("%")[0]
    if bare in ("*", "::"):
        return None
    address = ip_address(bare.removeprefix("[").removesuffix("]"))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def needed(
    table: Table, hosts: Mapping[T, Iterable[IPAddress]]
) -> dict[T, tuple[Needed, ...]]:
    """Return what services need on each of the hosts with these addresses; two may have
    one, by mistake. A real server at weight 0 may be down."""
    found: dict[T, list[Needed]] = {host: [] for host in hosts}
    owners: dict[IPAddress, list[list[Needed]]] = {}
    for host, addresses in hosts.items():
        for address in set(addresses):
            owners.setdefault(address, []).append(found[host])
    for service in table.services:
        at, asked = str(service.at), _asked(service)
        for server in service.servers:
            for wanted in owners.get(server.address, ()) if server.weight else ():
                places = _arrivals(server, asked)
                wanted += [Needed(at, *place, server) for place in places]
    return {host: tuple(items) for host, items in found.items()}


# Where packets go: protocol, address and port.
_Place: TypeAlias = tuple[Protocol, IPAddress, int]


def _asked(service: VirtualService) -> list[_Place]:
    """Return where clients send packets to, as far as it is judged here."""
    if service.at.protocol and service.at.address:
        asked = [(service.at.protocol, service.at.address, service.at.port)]
    else:
        single = (one for one in service.packets if one.first == one.last)
        asked = [(one.protocol, one.address, one.first) for one in single]
    return [place for place in asked if place[0] in _PROTOCOLS.values()]


def _arrivals(server: RealServer, asked: list[_Place]) -> Iterable[_Place]:
    """Return where they arrive on the real server, each place once."""
    if server.method not in _FOR_THE_VIP:
        asked = [(name, server.address, server.port or port) for name, _, port in asked]
    places = [place for place in asked if place[2]]
    return places if len(places) < 2 else dict.fromkeys(places)


def unheard(
    wanted: Iterable[Needed], sockets: Collection[Socket], host: str
) -> tuple[tuple[Needed, Sentence], ...]:
    """Return what nobody listens to, each with a sentence for people."""
    found, by_port = [], dict[tuple[Protocol, int], list[Socket]]()
    for socket in sockets:
        by_port.setdefault((socket.protocol, socket.port), []).append(socket)
    for one in wanted:
        there = by_port.get((one.protocol, one.port), [])
        if not any(socket.takes(one.address) for socket in there):
            found.append((one, _told(one, there, host)))
    return tuple(found)


def _told(one: Needed, there: Iterable[Socket], host: str) -> Sentence:
    elsewhere = sorted({str(socket.address) for socket in there})
    if elsewhere:
        return _(
            "{protocol} {port} of {host} ({rip}) listens on {elsewhere} only: {service}"
            " needs a daemon that listens on {address} or on any address.",
            elsewhere=listed(elsewhere), **_names(one, host),
        )  # fmt: skip
    if one.server.method not in _FOR_THE_VIP:
        return _(
            "Nothing listens on {protocol} {port} of {host} ({rip}), which {service} needs.",
            **_names(one, host),
        )  # fmt: skip
    return _(
        "Nothing listens on {protocol} {port} of {host} ({rip}): {service} needs a daemon"
        " that listens on {address} or on any address.",
        **_names(one, host),
    )  # fmt: skip


def _names(one: Needed, host: str) -> dict[str, str | int]:
    return {
        "protocol": one.protocol.label,
        "port": one.port,
        "host": host,
        "rip": str(one.server.address),
        "service": one.service,
        "address": str(one.address),
    }
