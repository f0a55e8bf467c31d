"""The wish of a whole cluster, and what it means for each of its hosts.

``ClusterWish`` is what the database holds and a revision keeps; ``host_wishes`` turns
it into one ``HostWish`` per host with the help of what the hosts said about themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from cluster.lvs import director, real_server, rules
from cluster.lvs.host import HostState, HostWish
from cluster.lvs.table import IPAddress, Table
from cluster.lvs.terms import ForwardingMethod


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual IP with the number of its label, ``eth0:1`` or ``lo:1``."""

    address: IPAddress
    number: int


@dataclass(frozen=True, slots=True)
class ClusterWish:
    """What the operator wants of a cluster.

    *real_servers* maps the address of each real server that can be set up over SSH
    to the name of its host; *director* is the one that holds the VIPs.
    """

    director: str
    table: Table = field(default_factory=Table)
    vips: tuple[Vip, ...] = ()
    real_servers: tuple[tuple[IPAddress, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        data = {
            "director": self.director,
            "table": rules.render(self.table),
            "vips": [[str(vip.address), vip.number] for vip in self.vips],
            "real_servers": [[str(rip), name] for rip, name in self.real_servers],
        }
        # The rules of ipvsadm cannot say this. Left out when there is none, so that
        # wishes of old compare equal.
        marked = [str(s.at) for s in self.table.services if s.source_nat]
        return data | ({"source_nat": marked} if marked else {})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ClusterWish:
        marked = data.get("source_nat", ())
        services = (
            replace(service, source_nat=str(service.at) in marked)
            for service in rules.parse(data["table"]).services
        )
        return cls(
            data["director"],
            Table(tuple(services)),
            tuple(Vip(ip_address(vip), number) for vip, number in data["vips"]),
            tuple((ip_address(rip), name) for rip, name in data["real_servers"]),
        )


def host_wishes(
    wish: ClusterWish, observed: Mapping[str, HostState]
) -> dict[str, HostWish]:
    """Return what each host shall have.

    Raises ``director.NoNetwork`` when a VIP is in no network of the director.
    """
    wishes = {name: HostWish() for name in observed}
    if wish.vips:
        wishes[wish.director] = director.wish(
            wish.table,
            [(vip.address, vip.number) for vip in wish.vips],
            observed[wish.director].addresses,
        )
    for rip, name in wish.real_servers:
        routed = _vips_served_by(wish, rip, ForwardingMethod.DR)
        tunneled = _vips_served_by(wish, rip, ForwardingMethod.TUN)
        if routed or tunneled:
            wishes[name] = real_server.wish(routed, tunneled)
    return wishes


def _vips_served_by(
    wish: ClusterWish, rip: IPAddress, method: ForwardingMethod
) -> list[tuple[IPAddress, int]]:
    served = {
        service.at.address
        for service in wish.table.services
        for server in service.servers
        if server.address == rip and server.method is method
    }
    return [(v.address, v.number) for v in wish.vips if v.address in served]
