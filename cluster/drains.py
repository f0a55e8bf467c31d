"""A drain as a person asks for it, and what a person says to one that is under way.

Pages and commands both come here. ``control/draining.py`` does the rest.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from ipaddress import ip_address

from django.db import transaction
from django.utils import timezone

from cluster import audit, draft
from cluster.audit import Action, Actor
from cluster.lvs import port_reuse, rules
from cluster.lvs.drain import Choice, Event, NotPossible, follow, stairs_for
from cluster.lvs.drained import Room, aimed, records, rooms
from cluster.lvs.table import IPAddress, ServiceAddress, Table
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _
from cluster.models import Cluster, Drain, User
from cluster.models.drains import others

# What only a person says.
PERSONS = (Event.BACK, Event.CUT, Event.LONGER, Event.ON, Event.LEAVE)


class Refused(Exception):
    """The drain may not begin, and the sentences say why. Nothing was changed."""

    def __init__(self, *sentences: Sentence) -> None:
        super().__init__(*map(str, sentences))
        self.sentences = sentences


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a drain of one real server would mean now.

    *never* are reasons that only another wish takes away, *not_yet* those that go when
    other real servers are back. *reuse*: conn_reuse_mode should be set along with it.
    """

    cluster: Cluster
    address: IPAddress
    name: str
    kept: Table
    rooms: list[Room]
    never: list[Sentence]
    not_yet: list[Sentence]
    reuse: bool = False

    @property
    def reasons(self) -> list[Sentence]:
        return [*self.never, *self.not_yet]


def propose(
    cluster: Cluster,
    address: IPAddress,
    only: Collection[ServiceAddress] = (),
    floor: int = 50,
) -> Proposal:
    """Say what would go and what would stay; *only*: some of its services."""
    applied = draft.applied_table(cluster)
    kept = records(applied, address, only)
    name = draft.names(cluster).get(address, str(address))
    open_ones = cluster.drains.open().exclude(address=str(address))
    found = rooms(applied, kept, others(open_ones), floor)
    # The same with everybody else back where they were.
    alone = {
        room.at: room.trouble
        for room in rooms(_with_all(applied, open_ones), kept, [], floor)
    }
    never = _refusals(cluster, address, name, kept)
    never += [sentence for sentence in alone.values() if sentence]
    not_yet = [
        room.trouble for room in found if room.trouble and not alone.get(room.at)
    ]
    reuse = bool(kept.services) and _should_reuse(cluster, kept)
    return Proposal(cluster, address, name, kept, found, never, not_yet, reuse)


def _should_reuse(cluster: Cluster, kept: Table) -> bool:
    applied, director = cluster.applied(), cluster.director
    state = director.state if director else None
    if applied is None or state is None:
        return False
    return port_reuse.should_set(kept, applied.settings, dict(state.sysctls))


def _with_all(applied: Table, drains: Collection[Drain]) -> Table:
    """Return the table with the servers of all drains at their old weights."""
    for one in drains:
        applied = aimed(applied, one.table, Fraction(1))
    return applied


def _refusals(
    cluster: Cluster, address: IPAddress, name: str, kept: Table
) -> list[Sentence]:
    found = []
    running = cluster.drains.open().filter(address=str(address)).first()
    if running:
        state = _(str(running.get_state_display()))
        found.append(_("{name} has a drain already: {state}.", name=name, state=state))
    elif not kept.services:
        found.append(_("{name} is in no service that was applied.", name=name))
    for service in kept.services:
        places = {(s.address, s.port): s.weight for s in service.servers}
        if _edited(cluster, service.at, places):
            text = _(
                "{name} in {at} has a change that is not applied: apply or discard it"
                " first.",
                name=name,
                at=service.at,
            )
            found.append(text)
    return found


def _edited(
    cluster: Cluster,
    at: ServiceAddress,
    places: dict[tuple[IPAddress, int], int],
) -> bool:
    """Whether the rows want these servers otherwise than they were applied."""
    for row in draft.server_rows(cluster, at):
        place = (ip_address(row.address), row.port)
        if place in places:
            weight = places.pop(place)
            if not row.enabled or row.weight != weight:
                return True
    return bool(places)


@transaction.atomic
def begin(
    proposal: Proposal,
    choice: Choice,
    floor: int,
    person: User,
    actor: Actor,
    *,
    may_wait: bool = False,
    reuse: bool = True,
) -> Drain:
    """Write the drain down for a worker to take; raises Refused.

    *may_wait*: it begins by itself when other real servers are back. *reuse*: let it
    set conn_reuse_mode where that is needed.
    """
    cluster = Cluster.objects.select_for_update().get(pk=proposal.cluster.pk)
    only = [service.at for service in proposal.kept.services]
    found = propose(cluster, proposal.address, only, floor)
    if found.never or (found.not_yet and not may_wait):
        raise Refused(*found.reasons)
    now = timezone.now()
    weights = [s.weight for v in found.kept.services for s in v.servers]
    said = _(
        "Drain {name} in {services}: deadline after {seconds} s, floor {floor} %",
        name=found.name,
        services=listed([str(at) for at in only]),
        seconds=int(choice.patience.total_seconds()),
        floor=floor,
    )
    row = Drain.objects.create(
        cluster=cluster,
        address=str(found.address),
        name=found.name,
        kept=rules.render(found.kept),
        floor=floor,
        patience=int(choice.patience.total_seconds()),
        cut=choice.cut,
        take_out=choice.take_out,
        slow_start=int(choice.slow_start.total_seconds()),
        stairs=stairs_for(choice.slow_start, weights),
        reuse=reuse and found.reuse,
        since=now,
        requested_by=person,
        requested_at=now,
        account=[[now.isoformat(), said.as_json()]],
    )
    log(actor, row, said)
    return row


_SAID = {
    Event.BACK: "Bring {name} back",
    Event.CUT: "Wait for no more connections of {name}",
    Event.LONGER: "Give the drain of {name} more time",
    Event.ON: "Go on with the drain of {name}",
    Event.LEAVE: "End the drain of {name} and leave it as it is",
}


@transaction.atomic
def tell(
    drain: Drain,
    event: Event,
    person: User,
    actor: Actor,
    *,
    more: timedelta | None = None,
    slow_start: timedelta | None = None,
) -> None:
    """Do what a person says; raises NotPossible, or Moved when it has gone on."""
    if event not in PERSONS:
        raise NotPossible(event.name)
    now, fields = timezone.now(), {}
    if event is Event.BACK and slow_start is not None:
        fields["slow_start"] = drain.slow_start = int(slow_start.total_seconds())
        weights = [s.weight for v in drain.table.services for s in v.servers]
        drain.stairs = stairs_for(slow_start, weights)
    after = follow(drain.value, event, now, more)
    said = _(_SAID[event], name=drain)
    # Who says something takes over: what follows is confirmed in that person's name.
    drain.move(
        after,
        None,
        run=None,
        tries=0,
        requested_by=person,
        account=drain.told(now, said),
        **fields,
    )
    log(actor, drain, said)


def log(actor: Actor, drain: Drain, said: Sentence) -> None:
    cluster = drain.cluster.name
    audit.append(actor, Action.CHANGED, said, cluster=cluster, object=str(drain))
