"""Take over a run whose worker died: find out what is in force, send nothing twice.

A step that is still SENT may have reached its host or not. The host is asked: if the
plan that is made from what it says still holds the command, the command is not in
force and may be sent; if not, it is done.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from cluster import audit
from cluster.control.planning import NoPlan, hosts_of, replan
from cluster.control.steps import Attendance
from cluster.lvs import arming
from cluster.lvs.change import Change, Phase
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Run, Step

# One thing to be done, as fine as it can be told apart: a rule of ipvsadm -R is one.
Item = tuple[str, tuple[str, ...], str]


def items(change: Change) -> set[Item]:
    """Return what the change consists of: its command, or each rule of its input."""
    argv = change.command.argv
    rules = change.command.stdin.decode() if argv[0] == "ipvsadm" else ""
    return {(change.host, argv, line) for line in rules.splitlines() or [""]}


def still_needed(run: Run, attendance: Attendance) -> tuple[set[Item], set[str]]:
    """Return what is still to be done, and the names of hosts that did not answer."""
    hosts = hosts_of(run)
    seen = attendance.observe(hosts)
    needed: set[Item] = set()
    for change in replan(run, hosts, seen).changes:
        if change.writes:
            needed |= items(change)
    for step in arm_steps(run):
        state = seen.states.get(step.host.name)
        if state and not arming.in_force(step.value, state):
            needed |= items(step.value)
    return needed, set(seen.troubles)


def arm_steps(run: Run) -> list[Step]:
    """Return the steps that teach a host to take the run back by itself."""
    steps = run.steps.filter(undoes=None, change__phase=int(Phase.ARM))
    return list(steps.select_related("host", "run__cluster"))


def settle(attendance: Attendance) -> bool:
    """Decide every step that was left SENT; return whether the run may go on."""
    run = attendance.run
    steps = run.steps.filter(undoes=None).select_related("host", "run__cluster")
    left = [step for step in steps if step.state == Step.State.SENT]
    try:
        needed, silent = still_needed(run, attendance)
    except NoPlan as error:
        run.tell(error.sentences)
        needed, silent = set(), {step.host.name for step in left}
    fine, later = True, set[str]()
    # What was sent together was carried out in this order.
    for step in reversed(left):
        if not step.value.writes and step.host.name in later:
            text = _("The worker died; what followed it on {host} is in force.",
                     host=step.host.name)  # fmt: skip
            _mark(attendance, step, Step.State.DONE, text)
            continue
        fine &= _settle_step(attendance, step, needed, silent)
        if step.state == Step.State.DONE:
            later.add(step.host.name)
    waiting = {
        item
        for step in steps
        if step.state in (Step.State.PENDING, Step.State.SENT)
        for item in items(step.value)
    }
    if fine and not needed <= waiting:
        run.tell([_("The hosts were changed by somebody else in the meantime.")])
        return False
    return fine


def settle_undo(attendance: Attendance) -> None:
    """Decide every undo that was left SENT: done, or to be sent now."""
    steps = attendance.run.steps.exclude(undoes=None).filter(state=Step.State.SENT)
    left = list(steps.select_related("host", "run__cluster", "undoes"))
    if not left:
        return
    needed, silent = still_needed(attendance.run, attendance)
    for step in left:
        taken_back = step.undoes
        if step.host.name in silent:
            text = _("The worker died and {host} does not answer.", host=step.host.name)
            _mark(attendance, step, Step.State.UNKNOWN, text)
        elif taken_back and items(taken_back.value) <= needed:
            text = _("The worker died; {host} was read and the command is in force.",
                     host=step.host.name)  # fmt: skip
            _mark(attendance, step, Step.State.DONE, text)
        else:
            text = _("The worker died; {host} was read and the command is not in force."
                     " It is sent now.", host=step.host.name)  # fmt: skip
            _mark(attendance, step, Step.State.PENDING, text)


def _settle_step(
    attendance: Attendance, step: Step, needed: set[Item], silent: set[str]
) -> bool:
    mine = items(step.value)
    if step.host.name in silent:
        text = _("The worker died; {host} does not answer, so it is not known whether"
                 " the command took effect.", host=step.host.name)  # fmt: skip
        return _mark(attendance, step, Step.State.UNKNOWN, text)
    if not step.value.writes or mine <= needed:
        text = _("The worker died; {host} was read and the command is not in force."
                 " It is sent now.", host=step.host.name)  # fmt: skip
        return _mark(attendance, step, Step.State.PENDING, text)
    if mine & needed:
        text = _("The worker died; only a part of the rules is in force.")
        return _mark(attendance, step, Step.State.UNKNOWN, text)
    text = _("The worker died; {host} was read and the command is in force.",
             host=step.host.name)  # fmt: skip
    return _mark(attendance, step, Step.State.DONE, text)


def _mark(attendance: Attendance, step: Step, state: str, text: Sentence) -> bool:
    step.state = state
    step.trouble = text.as_json()
    step.finished_at = timezone.now() if state != Step.State.PENDING else None
    with transaction.atomic():
        step.save()
        audit.outcome(attendance.actor, step, text)
    return state != Step.State.UNKNOWN
