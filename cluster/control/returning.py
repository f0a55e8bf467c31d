"""Undo a run that cannot go on, newest step first, and say exactly what is left."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.utils import timezone

from cluster.control.observe import leave_footprints
from cluster.control.planning import NoPlan, finish, hosts_of
from cluster.control.recovery import arm_steps, items, settle_undo, still_needed
from cluster.control.steps import Attendance, perform, perform_together, together
from cluster.control.undoing import write_undo
from cluster.lvs import arming, restart
from cluster.lvs.host import HostState
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Host, Run, Step

# Steps that may have changed their host. A refused ``ipvsadm -R`` may have taken
# some of its rules, so FAILED ones with an answer are undone like the others.
_UNDO = (Step.State.DONE, Step.State.UNKNOWN, Step.State.FAILED)

# A host that does not answer is waited for, this long after it has returned by itself.
PATIENCE = timedelta(minutes=5)
LOOK_AGAIN = timedelta(seconds=3)


def undo_all(attendance: Attendance) -> None:
    """Bring the hosts back to what they had, and end the run; or let it wait for a host
    that brings itself back."""
    run = attendance.run
    armed = arm_steps(run)
    done = run.steps.filter(undoes=None, state__in=_UNDO).select_related("host")
    absent = _known_to_be_absent(attendance, done)
    steps = [
        step
        for step in reversed(done)
        if _may_be_in_force(step) and step.pk not in absent
    ]
    # The timers first: whoever takes one away undoes the run on that host.
    write_undo(run, sorted(steps, key=lambda step: step not in armed))
    settle_undo(attendance)
    acting = _take_timers(attendance, [step for step in armed if step in steps])
    pending = run.steps.exclude(undoes=None).filter(state=Step.State.PENDING)
    _undo(
        attendance,
        [
            step
            for step in pending.select_related("host", "host__credential", "undoes")
            if step.host.name not in acting
        ],
    )
    if acting and not _patience_is_over(run):
        run.pause_until = timezone.now() + LOOK_AGAIN
        run.save(update_fields=["pause_until"])
        return
    pending.update(state=Step.State.SKIPPED)
    _conclude(attendance)


def _undo(attendance: Attendance, steps: list[Step]) -> None:
    """Undo what can be: one that fails does not keep the others from it."""
    while steps:
        some = together(steps)
        perform_together(attendance, some)
        for step in some:
            if step.state == Step.State.DONE and step.undoes:
                _mark_undone(step.undoes)
        steps = [step for step in steps if step.state == Step.State.PENDING]


def _known_to_be_absent(attendance: Attendance, done: Iterable[Step]) -> set[int]:
    """Look for commands whose answers were lost, and return those not in force."""
    unknown = [step for step in done if step.state == Step.State.UNKNOWN]
    if not unknown:
        return set()
    attendance.wait_for_ends()
    try:
        needed, silent = still_needed(attendance.run, attendance)
    except NoPlan:
        return set()
    answering = [step for step in unknown if step.host.name not in silent]
    for name in {step.host.name for step in answering}:
        attendance.try_again(name)
    # Half of what arms a host may be there.
    return {
        step.pk
        for step in answering
        if not arming.is_arming(step.value) and items(step.value) <= needed
    }


def _patience_is_over(run: Run) -> bool:
    return run.keep_until is None or timezone.now() > run.keep_until + PATIENCE


def _take_timers(attendance: Attendance, armed: list[Step]) -> set[str]:
    """Take away every timer that has not begun; return the hosts to be left alone.

    Those are at work by themselves, or do not answer and will be.
    """
    names = {step.host.name for step in armed}
    hosts = [host for host in hosts_of(attendance.run) if host.name in names]
    seen = attendance.observe(hosts)
    acting, returned = set(), set()
    for step in armed:
        name, back = step.host.name, step.undone_by.select_related("host").get()
        state = seen.states.get(name)
        if state is None:
            acting.add(name)
        elif arming.waits(step.value, state):
            back.state = Step.State.PENDING
            back.save(update_fields=["state"])
            if not perform(attendance, back):
                acting.add(name)
        elif arming.is_at_work(step.value, state):
            acting.add(name)
        elif back.state != Step.State.DONE:
            returned.add(name)
    _skip_what_is_undone(attendance, returned)
    return acting


def _skip_what_is_undone(attendance: Attendance, returned: set[str]) -> None:
    """These hosts have taken the run back by themselves: send only what they left."""
    if not returned:
        return
    run = attendance.run
    try:
        needed, _silent = still_needed(run, attendance)
    except NoPlan:
        needed = set()
    undo = run.steps.exclude(undoes=None).exclude(state=Step.State.DONE)
    for step in undo.filter(host__name__in=returned).select_related("undoes", "host"):
        if step.undoes and items(step.undoes.value) <= needed:
            text = _("{host} has undone it by itself.", host=step.host.name)
            step.state, step.trouble = Step.State.SKIPPED, text.as_json()
            step.save(update_fields=["state", "trouble"])


def _may_be_in_force(step: Step) -> bool:
    if step.state != Step.State.FAILED:
        return True
    return step.exit_status is not None and step.value.command.argv[0] == "ipvsadm"


def _conclude(attendance: Attendance) -> None:
    """Read every host again and tell what is in force, what is not, what is unknown."""
    run = attendance.run
    try:
        needed, silent = still_needed(run, attendance)
    except NoPlan as error:
        run.tell(error.sentences)
        needed, silent = set(), {h.name for h in hosts_of(run)}
    forward = run.steps.filter(undoes=None).select_related("host")
    writes = [step for step in forward if step.value.writes and step.sent_at]
    unknown = [step for step in writes if step.host.name in silent]
    remaining = [
        step
        for step in writes
        if step.host.name not in silent and not items(step.value) <= needed
    ]
    for step in writes:
        if step not in remaining and step not in unknown:
            _mark_undone(step)
    hosts = hosts_of(run)
    states = attendance.observe(hosts).states
    lost = _lost(run, hosts, states)
    leave_footprints(hosts, states)
    run.tell(_account(remaining, unknown, lost))
    clean = not remaining and not unknown and not lost
    finish(run, Run.State.RETURNED if clean else Run.State.PARTIAL)


def _lost(run: Run, hosts: list[Host], states: dict[str, HostState]) -> list[Sentence]:
    before = {name: HostState.from_json(data) for name, data in run.observed.items()}
    return [
        sentence
        for host in hosts
        if host.name in states and host.name in before
        for sentence in restart.lost(
            host.name, before[host.name], states[host.name], host.left_behind
        )
    ]


def _mark_undone(step: Step) -> None:
    if step.state in (Step.State.DONE, Step.State.UNKNOWN):
        step.state = Step.State.UNDONE
        step.save(update_fields=["state"])


def _account(
    remaining: list[Step], unknown: list[Step], lost: list[Sentence]
) -> list[Sentence]:
    told = list(lost)
    if remaining:
        told.append(_("Still in force:"))
        told += [_on_host(step, s) for step in remaining for s in step.value.sentences]
    if unknown:
        told.append(_("Not known, because the host does not answer:"))
        told += [_on_host(step, s) for step in unknown for s in step.value.sentences]
    if told:
        return [*told, _("Plan again when every host answers: it does the rest.")]
    return [_("Every host that answers was read again and is as it was before.")]


def _on_host(step: Step, sentence: Sentence) -> Sentence:
    return _("{host}: {what}", host=step.host.name, what=sentence)
