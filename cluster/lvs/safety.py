"""Why a plan needs a second look: reasons in words, for a typed confirmation."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.lvs.host import HostState, HostWish
from cluster.lvs.table import ServiceAddress, Table
from cluster.lvs.words import Sentence, gettext_noop, listed
from cluster.lvs.words import say as _

# At most as many services as Seesaw lets one push delete, or a fifth of the table.
MANY_SERVICES = 10
LARGE_PART = 0.2
SMALL_TABLE = 5


def cautions(
    observed: Table, desired: Table, ours: tuple[ServiceAddress, ...]
) -> list[Sentence]:
    """Return the reasons, worst first; empty when the plan is harmless."""
    wanted, mine = desired.by_address, set(ours)
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
    found += [
        _("{at} is deleted: connections that it carries are cut off.", at=service.at)
        for service in gone[:MANY_SERVICES]
    ]
    for service in observed.services:
        after = wanted.get(service.at)
        if after is None or after == service:
            continue
        if service.servers and not after.servers:
            found.append(_("{at} is left without a real server.", at=service.at))
        elif not any(server.weight for server in after.servers):
            text = _("{at} takes no new connection: all weights are 0.", at=service.at)
            found.append(text)
    return found


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
