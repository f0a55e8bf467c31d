"""From a wish to a run that a worker may take: ask for a plan, confirm the one seen.

Pages and commands both come here; who carries it out is told by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from cluster import audit
from cluster.audit import Action, Actor
from cluster.lvs.parts import Scope
from cluster.lvs.table import ServiceAddress
from cluster.lvs.wish import ClusterWish
from cluster.lvs.words import say
from cluster.models import Cluster, Run, User

State = Run.State


@dataclass(frozen=True, slots=True)
class Review:
    """The run to look at; *is_busy* when another one must end first."""

    run: Run
    is_new: bool = False
    is_busy: bool = False


@transaction.atomic
def ask_for_plan(
    cluster: Cluster,
    person: User,
    actor: Actor,
    wanted: ClusterWish | None = None,
    keep_seconds: int | None = None,
) -> Review:
    """Return a run that is to plan what is wanted now, or *wanted* instead.

    *keep_seconds* is 0 where nobody is there to say keep.
    """
    wish = wanted or cluster.wish()
    return _ask(cluster, wish, person, actor, keep_seconds=keep_seconds)


@transaction.atomic
def ask_for_repair(
    cluster: Cluster, scope: Scope, person: User, actor: Actor
) -> Review | None:
    """Return a run that leads back to the newest revision; None before the first."""
    applied = cluster.applied()
    if applied is None:
        return None
    return _ask(cluster, applied, person, actor, scope=scope.as_json())


@transaction.atomic
def ask_for_adoption(
    cluster: Cluster, services: Iterable[ServiceAddress], person: User, actor: Actor
) -> Review:
    """Return a run for the wish, after which these services are ours."""
    adopts = [str(at) for at in services]
    return _ask(cluster, cluster.wish(), person, actor, adopts=adopts)


def _ask(
    cluster: Cluster, wish: ClusterWish, person: User, actor: Actor, **about: Any
) -> Review:
    busy = cluster.runs.in_progress().first()
    if busy:
        return Review(busy, is_busy=True)
    asked = {"wish": wish.as_json(), "scope": {}, "adopts": []} | about
    same = cluster.runs.filter(state=State.PLANNING, **asked).first()
    if same:
        return Review(same)
    run = Run.objects.create(cluster=cluster, requested_by=person, **asked)
    _supersede(cluster, run)
    audit.of_run(actor, Action.PLANNED, run, say("Ask for plan {run}", run=run))
    return Review(run, is_new=True)


def _supersede(cluster: Cluster, newer: Run) -> None:
    """Only the newest plan can be confirmed: the older ones end here."""
    old = cluster.runs.filter(state=State.PLANNED).exclude(pk=newer.pk)
    for run in old.select_for_update():
        run.tell([say("Plan {run} has taken its place.", run=newer)])
        run.state, run.finished_at = State.STALE, timezone.now()
        run.save(update_fields=["account", "state", "finished_at"])


@transaction.atomic
def keep(run: Run, person: User | None, actor: Actor) -> bool:
    """Say that what was applied shall stay; False when it is too late, or too early.

    Without a person it was the probe host that reached every service.
    """
    now = timezone.now()
    waiting = Run.objects.filter(
        pk=run.pk, state=State.CONFIRMING, kept_at=None, keep_until__gt=now
    )
    kept = waiting.update(kept_at=now, kept_by=person, pause_until=None)
    if kept:
        audit.of_run(actor, Action.CONFIRMED, run, say("Keep run {run}", run=run))
    return bool(kept)


@transaction.atomic
def confirm(run: Run, seen_hash: str, person: User, actor: Actor) -> bool:
    """Queue the run, unless it has moved on or is not the plan that was seen.

    Raises IntegrityError while another run of the cluster is in progress.
    """
    seen = Run.objects.filter(pk=run.pk, state=State.PLANNED, plan_hash=seen_hash)
    confirmed = seen.update(
        state=State.QUEUED, confirmed_by=person, confirmed_at=timezone.now()
    )
    if confirmed:
        sentence = say("Confirm plan {hash}", hash=run.plan_hash[:8])
        audit.of_run(actor, Action.CONFIRMED, run, sentence)
    return bool(confirmed)
