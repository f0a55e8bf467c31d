"""Carry out a confirmed run to a definite end, whoever dies on the way.

    QUEUED -> RUNNING -> VERIFYING -> CONVERGED
                 |           |  CONFIRMING, see keeping.py
                 +-----------+-----> RETURNING -> RETURNED | PARTIAL

Every arrow is a commit. A worker that takes over a run goes on from the state that it
finds: steps left as SENT are decided by looking at the host (``recovery.py``).
"""

from __future__ import annotations

import logging
import uuid

from django.db import transaction
from django.utils import timezone

from cluster.control import keeping, recovery, returning
from cluster.control.comparing import compare_after
from cluster.control.observe import leave_footprints
from cluster.control.planning import (
    NoPlan,
    decide,
    finish,
    hosts_of,
    make_plan,
    own,
    replan,
)
from cluster.control.steps import (
    Attendance,
    LeaseLost,
    attending,
    perform_together,
    together,
)
from cluster.control.targets import Connect
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Run, Step

log = logging.getLogger(__name__)
MAX_ATTEMPTS = 6


def attend(pk: int, connect: Connect) -> None:
    """Take a run that needs work and bring it as far as it goes.

    Does nothing when another worker has it, so the same message may come any number
    of times.
    """
    owner = uuid.uuid4()
    if not Run.objects.claim(pk, owner):
        return
    run = Run.objects.select_related("cluster", "requested_by", "confirmed_by").get(
        pk=pk
    )
    with attending(run, owner, connect) as attendance:
        try:
            _advance(attendance)
        except LeaseLost as lost:
            log.warning("%s: another worker has taken over", lost)
            return
    Run.objects.release(pk, owner)
    if run.is_final and run.planned_at:
        compare_after(run)


def _advance(attendance: Attendance) -> None:
    run = attendance.run
    # Whoever looks whether a run was kept has not begun anything that may fail.
    run.attempts = 0 if run.state == Run.State.CONFIRMING else run.attempts + 1
    run.save(update_fields=["attempts"])
    if run.attempts > MAX_ATTEMPTS and run.state != Run.State.RETURNING:
        run.tell([_("{count} workers gave up on this run.", count=MAX_ATTEMPTS)])
        enter(run, Run.State.RETURNING)
    if run.state == Run.State.RUNNING and not recovery.settle(attendance):
        enter(run, Run.State.RETURNING)
    for state, act in _ACTS:
        if run.state == state:
            act(attendance)


def enter(run: Run, state: str, *why: Sentence) -> None:
    """Move the run on and commit that before anything else is done."""
    run.tell(why)
    run.state = state
    run.save(update_fields=["state", "account", "started_at"])


def _begin(attendance: Attendance) -> None:
    """Look again, and start only if the plan that was confirmed is still the plan."""
    run = attendance.run
    person = run.confirmed_by
    if person is None or not person.is_active or not person.may_operate:
        run.tell([_("Who confirmed this run may no longer apply changes.")])
        finish(run, Run.State.CANCELLED)
        return
    try:
        decision = decide(attendance)
    except NoPlan as error:
        run.tell(error.sentences)
        finish(run, Run.State.STALE)
        return
    if decision.plan.hash != run.plan_hash:
        run.tell([_("The hosts have changed since the plan was made: plan again.")])
        finish(run, Run.State.STALE)
        return
    with transaction.atomic():
        own(run)
        run.started_at = timezone.now()
        enter(run, Run.State.RUNNING)


def _run_steps(attendance: Attendance) -> None:
    run = attendance.run
    pending = run.steps.filter(undoes=None, state=Step.State.PENDING)
    steps = list(pending.select_related("host", "host__credential", "run__cluster"))
    while steps:
        seconds = keeping.seconds_to_send(run)
        if seconds <= 0:
            _stop(run, _("The time to keep this run was over before its end."))
            return
        some = together(steps, seconds)
        keeping.start_clock(run, some[0])
        if failed := perform_together(attendance, some):
            _stop(
                run,
                _("Step {position} on {host} failed, so everything is undone.",
                  position=failed.position, host=failed.host.name),
                *[s for s in [failed.trouble_sentence] if s],
            )  # fmt: skip
            return
        del steps[: len(some)]
    enter(run, Run.State.VERIFYING)


def _stop(run: Run, *why: Sentence) -> None:
    """Send no further step, and undo those that were sent."""
    left = run.steps.filter(undoes=None, state=Step.State.PENDING)
    left.update(state=Step.State.SKIPPED)
    enter(run, Run.State.RETURNING, *why)


def _verify(attendance: Attendance) -> None:
    """Success is that a second plan is empty; exit statuses are not believed."""
    run = attendance.run
    hosts = hosts_of(run)
    seen = attendance.observe(hosts)
    touched = {step.host.name for step in run.steps.select_related("host")}
    blind = [seen.troubles[name] for name in sorted(touched & seen.troubles.keys())]
    left = [change for change in replan(run, hosts, seen).changes if change.writes]
    if blind or left:
        missing = [s for change in left for s in change.sentences]
        text = _("Reading back shows that not everything is in force:")
        enter(run, Run.State.RETURNING, text, *blind, *missing)
        return
    if keeping.must_be_kept(run):
        keeping.wait(run)
        return
    leave_footprints(hosts, seen.states)
    run.tell([_("Every host was read again and is as wished.")])
    finish(run, Run.State.CONVERGED)


# In this order: an act leads to a state further down, or the run ends or waits.
_ACTS = (
    (Run.State.PLANNING, make_plan),
    (Run.State.QUEUED, _begin),
    (Run.State.RUNNING, _run_steps),
    (Run.State.CONFIRMING, keeping.go_on),
    (Run.State.VERIFYING, _verify),
    (Run.State.RETURNING, returning.undo_all),
)
