"""NAT: do the replies of a real server come back through the director?

If they do not, every connection hangs: the client waits for the VIP and hears from the
real server. The route is the real server's own affair: we look at it and say what is
wrong, we do not change it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cluster.lvs.host import HostState
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
) -> list[Detour]:
    """Return the real servers whose replies miss the director, by their routes.

    *floating* are the VIPs that it will have: they are the better gateways, for they
    move to the other director when this one fails.
    """
    own = (str(b.address) for b in state.addresses if not b.address.is_loopback)
    mine = list(dict.fromkeys([*floating, *sorted(own)]))
    found = (_detour(director, mine, name, one) for name, one in real_servers.items())
    return [one for one in found if one]


def _detour(
    director: str, mine: list[str], host: str, state: HostState
) -> Detour | None:
    back = [g.destination for g in state.gateways if g.via in mine]
    if DEFAULT in back:
        return None
    ways = [g.via for g in state.gateways if g.destination == DEFAULT]
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
