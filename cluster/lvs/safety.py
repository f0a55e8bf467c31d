"""Why a plan needs a second look: reasons in words, for a typed confirmation.

A plan empties a service, deletes many, cuts off connections, takes the last VIP away, or
binds a VIP that another director has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cluster.lvs.host import INNER, HostState, HostWish
from cluster.lvs.table import (
    IPAddress,
    ServiceAddress,
    Table,
    VirtualService,
)
from cluster.lvs.words import Sentence, gettext_noop, listed
from cluster.lvs.words import say as _

# At most as many services as Seesaw lets one push delete, or a fifth of the table.
MANY_SERVICES = 10
LARGE_PART = 0.2
SMALL_TABLE = 5
# Active connections now: service, then real server, as they are printed.
Active: TypeAlias = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Director:
    """What a director has, and what of it is ours; *active* is None when its counters
    are not known now."""

    table: Table
    ours: tuple[ServiceAddress, ...]
    active: Active | None = None


def cautions(director: Director, desired: Table) -> list[Sentence]:
    """Return the reasons, worst first; empty when the plan is harmless."""
    observed, wanted = director.table, desired.by_address
    mine = set(director.ours)
    gone = [s for s in observed.services if s.at in mine and s.at not in wanted]
    found = []
    limit = max(SMALL_TABLE, len(observed.services)) * LARGE_PART
    if len(gone) > MANY_SERVICES or len(gone) > max(1, limit):
        found.append(
            _(
                "This deletes {count} of {total} virtual services.",
                count=len(gone),
                total=len(observed.services),
            )
        )
    if gone and not wanted:
        found.append(_("After this the director has no virtual service of ours left."))
    found += [_deleted(service, director.active) for service in gone[:MANY_SERVICES]]
    for service in observed.services:
        after = wanted.get(service.at, service)
        if after is not service and after != service:
            found += _changed(service, after, director.active)
    return found


def _deleted(service: VirtualService, active: Active | None) -> Sentence:
    if active is None:
        return _(
            "{at} is deleted: connections that it carries are cut off.", at=service.at
        )
    count = sum(active.get(str(service.at), {}).values())
    if not count:
        return _("{at} is deleted. It carries no connection now.", at=service.at)
    return _(
        "{at} is deleted: active connections that are cut off now: {count}.",
        at=service.at,
        count=count,
    )


def _changed(
    before: VirtualService, after: VirtualService, active: Active | None
) -> Iterable[Sentence]:
    if before.servers and not after.servers:
        yield _("{at} is left without a real server.", at=after.at)
    elif not any(server.weight for server in after.servers):
        yield _("{at} takes no new connection: all weights are 0.", at=after.at)
    for server in before.servers:
        if after.server(server.address, server.port) is not None:
            continue
        if active is None:
            yield cut_off_unknown(before.at, server.place)
        elif count := active.get(str(before.at), {}).get(server.endpoint):
            yield cut_off(before.at, server.place, count)


def cut_off(at: object, server: str, count: int) -> Sentence:
    return _(
        "{server} is taken out of {at}: active connections that are cut off now: {count}."
        " Drain it first to lose none.",
        server=server,
        at=at,
        count=count,
    )


def cut_off_unknown(at: object, server: str) -> Sentence:
    return _(
        "{server} is taken out of {at}: connections that it carries are cut off. How many"
        " is not known now. Drain it first to lose none.",
        server=server,
        at=at,
    )


def last_vip(bound: Iterable[IPAddress], wanted: Iterable[IPAddress]) -> list[Sentence]:
    """Say that no VIP of ours is left, when there are any now."""
    vips = listed(sorted({str(vip) for vip in bound}))
    if not vips or set(wanted):
        return []
    return [
        _(
            "The last VIP goes: nothing of this cluster answers for {vips} then.",
            vips=vips,
        )
    ]


def split_brain(
    vips: Iterable[IPAddress], others: Mapping[str, HostState]
) -> list[Sentence]:
    """Name the directors that hold a VIP which another one is to have."""
    wanted = set(vips)
    held = [
        (bound.address, name)
        for name, state in others.items()
        for bound in state.addresses
        if bound.address in wanted and bound.device not in INNER
    ]
    return [
        _(
            "{name} holds {vip} too: two directors would answer for it (split brain)."
            " Take it off {name} first.",
            name=name,
            vip=vip,
        )
        for vip, name in held
    ]


def moved(before: str, after: str) -> Sentence:
    return _(
        "The VIPs move from {before} to {after}. Connections that {after} was not told"
        " of by the sync daemon are cut off.",
        before=before,
        after=after,
    )


FORGETFUL = gettext_noop(
    "A reboot of {hosts} loses what is applied there: the units that bring it back are"
    " not installed. The page of the host has the text to install."
)


def forgetful(
    observed: Mapping[str, HostState], desired: Mapping[str, HostWish]
) -> list[Sentence]:
    """Return a reason when hosts that get something would lose it by a reboot."""
    names = [
        name
        for name, state in sorted(observed.items())
        if desired.get(name, HostWish()) != HostWish() and not state.boot.ready
    ]
    return [_(FORGETFUL, hosts=listed(names))] if names else []


def unreachable(names: list[str]) -> Sentence:
    return _(
        "{hosts} cannot be reached and is left as it is. Plan again when it is back.",
        hosts=listed(names),
    )


# By these a reason is known again.
UNREACHABLE = unreachable([]).msgid
CUT_OFF = (cut_off("", "", 0).msgid, cut_off_unknown("", "").msgid)
