"""The wish of a whole cluster, and what it means for each of its hosts.

``ClusterWish`` is what the database holds and a revision keeps; ``host_wishes`` turns
it into one ``HostWish`` per host with the help of what the hosts said about themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any, TypeAlias

from cluster.lvs import director, encapsulation, nat6, real_server, rules
from cluster.lvs.host import INNER, LOOPBACK, BoundAddress, HostState, HostWish
from cluster.lvs.settings import Settings
from cluster.lvs.table import IPAddress, Packets, RealServer, Table
from cluster.lvs.terms import ForwardingMethod


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual IP with the number of its label, ``eth0:1`` or ``lo:1``."""

    address: IPAddress
    number: int


@dataclass(frozen=True, slots=True)
class ClusterWish:
    """What the operator wants of a cluster.

    *real_servers* maps each address of each real server that can be set up over SSH
    to the name of its host; *director* is the one that holds the VIPs, *directors*
    those that *settings* are for.
    """

    director: str
    table: Table = field(default_factory=Table)
    vips: tuple[Vip, ...] = ()
    real_servers: tuple[tuple[IPAddress, str], ...] = ()
    settings: Settings = field(default_factory=Settings)
    directors: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "director": self.director,
            "table": rules.render(self.table),
            "vips": [[str(vip.address), vip.number] for vip in self.vips],
            "real_servers": [[str(rip), name] for rip, name in self.real_servers],
        }
        # The rules of ipvsadm cannot say this. Left out when there is none, so that
        # wishes of old compare equal.
        marked = [str(s.at) for s in self.table.services if s.source_nat]
        if marked:
            data["source_nat"] = marked
        pools = {
            str(s.at): [*map(str, s.local)] for s in self.table.services if s.local
        }
        if pools:
            data["local_addresses"] = pools
        marked_packets = {
            str(s.at): [one.as_json() for one in s.packets]
            for s in self.table.services
            if s.packets
        }
        if marked_packets:
            data["packets"] = marked_packets
        if self.settings:
            data["settings"] = self.settings.as_json()
            data["directors"] = list(self.directors)
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ClusterWish:
        marked = data.get("source_nat", ())
        pools = data.get("local_addresses", {})
        packets = data.get("packets", {})
        services = rules.parse(data["table"]).services
        if marked or pools or packets:
            services = tuple(
                replace(
                    service,
                    source_nat=str(service.at) in marked,
                    local=_local(pools.get(str(service.at))),
                    packets=tuple(
                        map(Packets.from_json, packets.get(str(service.at), ()))
                    ),
                )
                for service in services
            )
        return cls(
            data["director"],
            Table(services),
            tuple(Vip(ip_address(vip), number) for vip, number in data["vips"]),
            tuple((ip_address(rip), name) for rip, name in data["real_servers"]),
            Settings.from_json(data.get("settings", {})),
            tuple(data.get("directors", ())),
        )


def _local(ends: list[str] | None) -> tuple[IPAddress, IPAddress] | None:
    if not ends:
        return None
    first, last = map(ip_address, ends)
    return first, last


def host_wishes(
    wish: ClusterWish, observed: Mapping[str, HostState]
) -> dict[str, HostWish]:
    """Return what each host shall have; nothing for a director that was not observed.

    Raises ``director.NoNetwork`` when a VIP is in no network of the director.
    """
    wishes, lan = {name: HostWish() for name in observed}, list[BoundAddress]()
    if wish.vips and wish.director in observed:
        state = observed[wish.director]
        numbered = [(vip.address, vip.number) for vip in wish.vips]
        wishes[wish.director] = director.wish(
            wish.table,
            numbered,
            state.addresses,
            wish.settings.inner_vip,
            patched=state.fullnat,
        )
        lan = director.own_addresses(state.addresses)
        six = nat6.director_sysctls(wish.table, lan, state)
        wishes[wish.director] |= HostWish(sysctls=six)
    uses = _uses(wish.table)
    for rip, name in wish.real_servers:
        served, gue = _served_by(wish, uses.get(rip, ()))
        if served:
            # A host may be reached by two addresses, one of each family.
            wishes[name] = wishes.get(name, HostWish()) | real_server.wish(
                served, rip, gue
            )
        if name in observed and lan:
            six = nat6.real_server_sysctls(uses.get(rip, ()), rip, lan, observed[name])
            wishes[name] |= HostWish(sysctls=six)
    for name in wish.directors:
        if name in wishes:
            # What a service needs comes last: it has the last word about a sysctl.
            own = HostWish(
                sysctls=wish.settings.by_key(), settings=wish.settings.of(name)
            )
            wishes[name] = own | wishes[name]
    return wishes


def served_by(
    wish: ClusterWish, rip: IPAddress
) -> tuple[dict[str, list[tuple[IPAddress, int]]], set[int]]:
    """Return the VIPs of one real server by device, and its ports for GUE."""
    return _served_by(wish, _uses(wish.table).get(rip, ()))


# A real server where it is used: a VIP, and an entry with its method and tunnel.
_Use: TypeAlias = tuple[IPAddress, RealServer]


def _uses(table: Table) -> dict[IPAddress, list[_Use]]:
    found: dict[IPAddress, list[_Use]] = {address: [] for address in table.addresses}
    same: dict[int, list[_Use]] = {}  # by the identity of the address
    for service in table.services:
        vips = service.vips
        for server in service.servers:
            uses = same.get(id(server.address))
            if uses is None:
                uses = same[id(server.address)] = found[server.address]
            uses += [
                (v, server) for v in vips if not (uses and _alike(uses, v, server))
            ]
    return found


def _alike(uses: list[_Use], vip: IPAddress, server: RealServer) -> bool:
    """Whether the last use says the same of a host: a VIP has many services in a row."""
    before, other = uses[-1]
    return (
        before is vip
        and other.method is server.method
        and other.tunnel == server.tunnel
    )


def _served_by(
    wish: ClusterWish, uses: Iterable[_Use]
) -> tuple[dict[str, list[tuple[IPAddress, int]]], set[int]]:
    """Return the VIPs of a real server by device, and its ports for GUE."""
    used: dict[str, set[IPAddress]] = {}
    gue = set()
    for vip, server in uses:
        device = _device(server, vip.version)
        if not device:
            continue
        used.setdefault(device, set()).add(vip)
        if server.tunnel and server.tunnel.port:
            gue.add(server.tunnel.port)
    served = {
        device: [(v.address, v.number) for v in wish.vips if v.address in used[device]]
        for device in INNER
        if device in used
    }
    return served, gue


def _device(server: RealServer, family: int) -> str:
    """Return the device that has the VIP on a real server, "" when it needs none."""
    if server.method is ForwardingMethod.TUN:
        return encapsulation.device(server.tunnel, family, server.address.version)
    return LOOPBACK if server.method is ForwardingMethod.DR else ""
