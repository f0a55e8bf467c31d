"""Move drains on: what is due is found out, and each change of a weight is a run.

A run is made from the wish of the newest revision plus exactly the change of this
server, never from a draft. It is confirmed in the name of the person who asked for the
drain, but only when its plan has nothing in it but rules for this server and the set-up
of its own host; else the drain pauses and a person looks.

Every move is one transaction that holds the row's *version* as its condition. Who loses
has done nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from cluster import audit, draft
from cluster.audit import Actor
from cluster.control import drain_plan, running
from cluster.control.counting import count
from cluster.control.targets import Connect
from cluster.drains import log
from cluster.lvs import drain as core
from cluster.lvs import port_reuse
from cluster.lvs.drain import Event, State, due, follow
from cluster.lvs.drained import aimed, is_aimed, rooms
from cluster.lvs.edits import joined
from cluster.lvs.wish import ClusterWish
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Drain, Run
from cluster.models.drains import Moved, others
from cluster.review import ask_for_plan, confirm

# Enough to go from WAITING to the first wait in one go.
MOVES = 12
# So often is a step planned anew when the hosts have changed under its plan.
TRIES = 3


def waiting() -> list[int]:
    """Return the drains that somebody has to look after."""
    drains = Drain.objects.open().select_related("cluster")
    return [d.pk for d in drains if d.state != State.OUT.value or _is_moved(d)]


def advance(pk: int, connect: Connect) -> None:
    """Bring a drain as far as it goes now; any number of workers may try."""
    related = ("cluster__director__credential", "run", "requested_by")
    for _again in range(MOVES):
        one = Drain.objects.select_related(*related).filter(pk=pk).first()
        if one is None or one.is_final:
            return
        try:
            if not _advance(one, connect):
                return
        except Moved:
            return


def _advance(one: Drain, connect: Connect) -> bool:
    """Do the next thing; return whether there may be more to do at once."""
    value = one.value
    if value.state is State.WAITING:
        return _when_there_is_room(one)
    if value.makes_run:
        return _by_run(one, connect)
    if value.state is State.PAUSED:
        # A person may have confirmed the run that was not confirmed here.
        if one.run and one.run.state == Run.State.CONVERGED:
            return _happen(one, Event.APPLIED)
        return False
    if _is_moved(one):
        return _moved_by_hand(one)
    if value.state is State.OUT:
        return False
    return _when_due(one, connect)


def _applied(one: Drain) -> ClusterWish | None:
    return one.cluster.applied()


def _is_moved(one: Drain) -> bool:
    """Whether the newest revision has the server otherwise than the drain left it."""
    wish = _applied(one)
    return wish is not None and not is_aimed(wish.table, one.table, one.value.aim)


# -- moving on ------------------------------------------------------------------------


def _happen(one: Drain, event: Event, why: Sentence | None = None, **more: Any) -> bool:
    """Follow the event, and write that down for people and in the audit log."""
    now = timezone.now()
    after = follow(one.value, event, now)
    said = _told(one, after, event, why)
    with transaction.atomic():
        if not after.makes_run and after.state is not State.PAUSED:
            more["run"] = None
        if after.makes_run and event is not Event.FAILED:
            more |= {"run": None, "tries": 0}
        one.move(after, why, account=one.told(now, said), **more)
        log(Actor(), one, said)
    return True


def _told(
    one: Drain, after: core.Drain, event: Event, why: Sentence | None
) -> Sentence:
    said = _STORIES.get((event, after.state)) or _STORIES[event, None]
    text = _(said, name=one)
    return joined([text, why]) if why else text


_STORIES: dict[tuple[Event, State | None], str] = {
    (Event.ROOM, None): "There is room: {name} gets weight 0",
    (Event.APPLIED, State.DRAINING): "{name} has weight 0 and gets no new connections",
    (Event.APPLIED, State.OUT): "{name} is out",
    (Event.APPLIED, State.RAISING): "{name} is back with a part of its weight",
    (Event.APPLIED, State.RESTORED): "{name} is back with its old weight",
    (Event.APPLIED, None): "{name}: the run was applied",
    (Event.FAILED, None): "{name}: the drain pauses",
    (Event.MOVED, None): "{name}: the drain pauses",
    (Event.EMPTY, State.OUT): "{name} has no connection left and stays at weight 0",
    (Event.EMPTY, None): "{name} has no connection left and is taken out",
    (Event.CUT, State.OUT): "The deadline has passed; {name} stays at weight 0",
    (Event.CUT, None): "The deadline has passed; {name} is taken out as was chosen",
    (Event.DEADLINE, None): "The deadline of {name} has passed with connections left",
    (Event.STEP, None): "{name} gets a larger part of its weight",
    (Event.RETURNED, None): "{name} was brought back by hand",
}


def _hold(one: Drain, why: Sentence | None, **more: Any) -> bool:
    """Wait, and say for what; nothing moves, so the version stays."""
    fields = {"why": why.as_json() if why else None, **more}
    Drain.objects.filter(pk=one.pk, version=one.version).update(**fields)
    return False


def _when_there_is_room(one: Drain) -> bool:
    """Begin as soon as the floor of every service is kept."""
    with transaction.atomic():
        # Two that wait for the same room come one after the other.
        cluster = type(one.cluster).objects.select_for_update().get(pk=one.cluster_id)
        wish = cluster.applied()
        if wish is None:
            return _hold(one, _("Nothing is applied."))
        rest = others(cluster.drains.open().exclude(pk=one.pk))
        found = rooms(wish.table, one.table, rest, one.floor)
        reasons = [room.trouble for room in found if room.trouble]
        if reasons:
            return _hold(one, joined(reasons))
        return _happen(one, Event.ROOM)


def _moved_by_hand(one: Drain) -> bool:
    if one.state == State.OUT.value:
        return _happen(one, Event.RETURNED)
    revision = one.cluster.revisions.first()
    why = _(
        "Revision {number} gives {name} another weight than the drain did.",
        number=revision.number if revision else 0,
        name=one,
    )
    event = Event.FAILED if one.state == State.RAISING.value else Event.MOVED
    return _happen(one, event, why)


def _when_due(one: Drain, connect: Connect) -> bool:
    now, value = timezone.now(), one.value
    if value.state is State.RAISING:
        event = due(value, now, ())
        return _happen(one, event) if event else False
    wish = _applied(one)
    if wish is None:
        return _hold(one, _("Nothing is applied."))
    counted = count(one, wish.table, now, connect)
    seen = counted.as_json(now, one.seen.get("most", 0))
    event = due(value, now, counted.left)
    if event is None:
        return _hold(one, counted.why, seen=seen)
    return _happen(one, event, seen=seen)


# -- runs -----------------------------------------------------------------------------


def _by_run(one: Drain, connect: Connect) -> bool:
    run = one.run
    if run is None:
        return _make_run(one)
    if run.state == Run.State.PLANNED:
        return _confirm(one, run)
    if not run.is_final:
        before = run.state
        running.attend(run.pk, connect)
        run.refresh_from_db()
        return run.state != before
    if run.state == Run.State.CONVERGED:
        return _happen(one, Event.APPLIED)
    if run.state == Run.State.STALE and one.tries < TRIES:
        with transaction.atomic():
            one.move(one.value, None, run=None, tries=one.tries + 1)
        return True
    text = _("Run {run} ended: {state}", run=run, state=_(_label(run)))
    return _happen(one, Event.FAILED, joined([text, *run.account_sentences[:2]]))


def _label(run: Run) -> str:
    return str(Run.State(run.state).label)


def wanted(one: Drain, applied: ClusterWish) -> ClusterWish:
    """Return the newest revision's wish plus exactly the change of this server."""
    table = aimed(applied.table, one.table, one.value.aim)
    if not _sets_reuse(one):
        return replace(applied, table=table)
    # One that does not answer now must not hold up the drain.
    fine = one.cluster.hosts.directors().trusted().filter(trouble__isnull=True)
    names = applied.directors or tuple(host.name for host in fine)
    settings = port_reuse.with_reuse(applied.settings)
    return replace(applied, table=table, settings=settings, directors=names)


def _sets_reuse(one: Drain) -> bool:
    return one.reuse and one.state == State.QUIESCING.value


def _make_run(one: Drain) -> bool:
    person = one.requested_by
    if person is None:
        return _happen(one, Event.FAILED, _("Who asked for this is gone."))
    with transaction.atomic():
        cluster = type(one.cluster).objects.select_for_update().get(pk=one.cluster_id)
        wish = cluster.applied()
        if wish is None:
            return _hold(one, _("Nothing is applied."))
        busy = cluster.runs.in_progress().first()
        if busy:
            return _hold(one, _("Run {run} is in progress.", run=busy))
        actor = acting(one)
        # Drains go on while nobody looks: there is no window to say keep in.
        review = ask_for_plan(cluster, person, actor, wanted(one, wish), keep_seconds=0)
        # The rows want the same, so that draft and revision agree.
        draft.aim(cluster, one.table, one.value.aim)
        if _sets_reuse(one):
            draft.reuse_ports(cluster)
        one.move(one.value, None, run=review.run)
    return True


def acting(one: Drain) -> Actor:
    """The person in whose name the drain acts, by way of the drain."""
    name = one.requested_by.get_username() if one.requested_by else audit.SYSTEM
    return Actor(name, f"drain {one.pk}")


def _confirm(one: Drain, run: Run) -> bool:
    person, wish = one.requested_by, _applied(one)
    if person is None or wish is None or wanted(one, wish).as_json() != run.wish:
        with transaction.atomic():
            one.move(one.value, None, run=None, tries=one.tries + 1)
        return one.tries <= TRIES
    unexpected = drain_plan.unexpected(one, run, wish)
    if unexpected:
        text = _(
            "Plan {run} has more in it than {name}. Look at it: confirm it there, or"
            " plan this step again when the reason is gone.",
            run=run,
            name=one,
        )
        return _happen(one, Event.FAILED, joined([text, *unexpected[:3]]))
    try:
        with transaction.atomic():
            one.move(one.value, None)
            if not confirm(run, run.plan_hash, person, acting(one)):
                raise Moved(f"run {run.pk}")
    except IntegrityError:
        return _hold(one, _("Another run of this cluster is in progress."))
    return True
