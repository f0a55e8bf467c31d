"""NAT: do the replies of a real server come back through the director?

If they do not, every connection hangs: the client waits for the VIP and hears from the
real server. The route is the real server's own affair: we look at it and say what is
wrong, we do not change it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType

from cluster.lvs.host import Gateway, HostState
from cluster.lvs.table import IPAddress, ServiceAddress, Table
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Detour:
    """Replies of a host that go another way; *always* when none comes back."""

    host: str
    always: bool
    sentence: Sentence


def nat_servers(
    table: Table, replaced: Collection[ServiceAddress] = ()
) -> set[IPAddress]:
    """Return the addresses that a table reaches by NAT.

    *replaced* are services to leave out: where the client's address is replaced, real
    servers answer the director itself, whatever their routes are.
    """
    return {
        server.address
        for service in table.services
        for server in service.servers
        if server.method is ForwardingMethod.NAT and service.at not in replaced
    }


def detours(
    director: str,
    state: HostState,
    real_servers: Mapping[str, HostState],
    floating: Collection[str] = (),
    families: Mapping[str, Collection[int]] = MappingProxyType({}),
) -> list[Detour]:
    """Return the real servers whose replies miss the director, by their routes.

    *floating* are the VIPs that it will have: they are the better gateways, for they
    move to the other director when this one fails. *families* says which are used by
    NAT on a host, only 4 where nothing is said.
    """
    own = (str(b.address) for b in state.addresses if not b.address.is_loopback)
    mine = list(dict.fromkeys([*floating, *sorted(own)]))
    found = (
        _detour(director, _in_family(mine, family), name, one.gateways)
        for name, one in real_servers.items()
        for family in sorted(families.get(name, (4,)))
    )
    return [one for one in found if one]


def _in_family(addresses: Iterable[str], family: int) -> list[str]:
    return [text for text in addresses if ip_address(text).version == family]


def _detour(
    director: str, mine: list[str], host: str, all_gateways: Iterable[Gateway]
) -> Detour | None:
    family = ip_address(mine[0]).version if mine else 4
    gateways = [g for g in all_gateways if ip_address(g.via).version == family]
    back = [g.destination for g in gateways if g.via in mine]
    if DEFAULT in back:
        return None
    ways = [g.via for g in gateways if g.destination == DEFAULT]
    if any(ip_address(via).is_link_local for via in ways):
        # Whose address that is, no table of addresses tells: link-local ones are
        # left out of it.
        text = _(
            "NAT: {host} sends its IPv6 replies to {gateway}. If that is not"
            " {director}, they do not come back.",
            host=host,
            gateway=listed(ways),
            director=director,
        )
        return Detour(host, always=False, sentence=text)
    if back:
        text = _(
            "NAT: only replies to {networks} go from {host} back through {director}."
            " Other clients get no answer.",
            networks=listed(back),
            host=host,
            director=director,
        )
        return Detour(host, always=False, sentence=text)
    text = _(
        "NAT: replies of {host} do not come back through {director}. Its default route"
        " is {gateway}, and must be an address of {director}: {addresses}. Set it on"
        " {host}; it is not changed from here.",
        host=host,
        director=director,
        gateway=listed(ways) or _("missing"),
        addresses=listed(mine),
    )
    return Detour(host, always=True, sentence=text)
