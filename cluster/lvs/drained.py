"""What a drain means for the table: which records it moves, and to what weight."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from cluster.lvs.table import (
    IPAddress,
    RealServer,
    ServiceAddress,
    Table,
    VirtualService,
)
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _


def records(
    table: Table, address: IPAddress, only: Collection[ServiceAddress] = ()
) -> Table:
    """Return the part of the table that has this real server; *only*: some services.

    Its servers keep the weights that they shall have again one day.
    """
    found = []
    for service in table.services:
        servers = tuple(s for s in service.servers if s.address == address)
        if servers and (not only or service.at in only):
            found.append(replace(service, servers=servers))
    return Table(tuple(found))


def weight_of(server: RealServer, aim: Fraction) -> int:
    """Return this part of a weight, never rounded down to 0."""
    if not aim or not server.weight:
        return 0
    return max(1, round(server.weight * aim))


def aimed(table: Table, kept: Table, aim: Fraction | None) -> Table:
    """Return the table with the servers of *kept* at this part of their weight.

    None takes them out. A service that is not in the table any more is left out.
    """
    mine = kept.by_address
    services = tuple(
        _aimed(service, mine[service.at], aim) if service.at in mine else service
        for service in table.services
    )
    return Table(services, table.unknown)


def _aimed(
    service: VirtualService, kept: VirtualService, aim: Fraction | None
) -> VirtualService:
    places = {server.endpoint for server in kept.servers}
    others = [s for s in service.servers if s.endpoint not in places]
    if aim is None:
        return replace(service, servers=tuple(others))
    now = {server.endpoint: server for server in service.servers}
    # What was edited since, a threshold for instance, stays edited.
    back = [
        replace(now.get(server.endpoint, server), weight=weight_of(server, aim))
        for server in kept.servers
    ]
    return replace(service, servers=(*others, *back))


def is_aimed(table: Table, kept: Table, aim: Fraction | None) -> bool:
    """Whether the table has the servers as a drain has left them."""
    return aimed(table, kept, aim) == table


def present(table: Table, kept: Table) -> bool:
    """Whether a service of the drain is still in the table."""
    return bool(table.by_address.keys() & kept.by_address.keys())


# -- the floor ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Other:
    """Another drain of the cluster. *is_away*: it takes no new connections now."""

    kept: Table
    is_away: bool


@dataclass(frozen=True, slots=True)
class Room:
    """The weight of a service: all of it, and what stays when the server is gone.

    *floor* is the share in percent that must stay.
    """

    at: ServiceAddress
    total: int
    left: int
    floor: int

    @property
    def percent(self) -> int:
        """What stays, in whole percent, never rounded up."""
        return self.left * 100 // self.total if self.total else 100

    @property
    def trouble(self) -> Sentence | None:
        """Why the server may not go; None when it may."""
        if self.total and not self.left:
            return _(
                "{at} would have no real server left that takes new connections.",
                at=self.at,
            )
        if self.left * 100 < self.floor * self.total:
            return _(
                "{at} would keep {left} of {total} weight ({percent} %); its floor is"
                " {floor} %.",
                at=self.at,
                left=self.left,
                total=self.total,
                percent=self.percent,
                floor=self.floor,
            )
        return None


def rooms(table: Table, mine: Table, others: Iterable[Other], floor: int) -> list[Room]:
    """Return what each service would keep without the servers of *mine*.

    All weight is what every real server has when none is drained. A server without a
    weight of its own is no loss: its service is left out.
    """
    others = list(others)
    normal = _weights([table, *(other.kept for other in others), mine])
    gone = _weights([mine, *(other.kept for other in others if other.is_away)]).keys()
    now = _weights([table])
    found = []
    for service in mine.services:
        if not any(server.weight for server in service.servers):
            continue
        keys = [key for key in normal if key[0] == service.at]
        total = sum(normal[key] for key in keys)
        left = sum(now.get(key, 0) for key in keys if key not in gone)
        found.append(Room(service.at, total, left, floor))
    return found


def _weights(tables: Iterable[Table]) -> dict[tuple[ServiceAddress, str], int]:
    """Return the weight of each record; a later table goes before an earlier one."""
    return {
        (service.at, server.endpoint): server.weight
        for table in tables
        for service in table.services
        for server in service.servers
    }
