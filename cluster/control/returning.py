"""Undo a run that cannot go on, newest step first, and say exactly what is left."""

from __future__ import annotations

from dataclasses import replace

from cluster.control.observe import leave_footprints
from cluster.control.planning import NoPlan, finish, hosts_of
from cluster.control.recovery import items, settle_undo, still_needed
from cluster.control.steps import Attendance, perform
from cluster.lvs import restart
from cluster.lvs.change import Change, Mark, announcement_after
from cluster.lvs.command import Command
from cluster.lvs.host import HostState
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Host, Run, Step

# Steps that may have changed their host. A refused ``ipvsadm -R`` may have taken
# some of its rules, so FAILED ones with an answer are undone like the others.
_UNDO = (Step.State.DONE, Step.State.UNKNOWN, Step.State.FAILED)


def undo_all(attendance: Attendance) -> None:
    """Bring the hosts back to what they had, and end the run."""
    run = attendance.run
    _write_undo_steps(run)
    settle_undo(attendance)
    pending = run.steps.exclude(undoes=None).filter(state=Step.State.PENDING)
    for step in pending.select_related("host", "host__credential", "undoes"):
        if perform(attendance, step) and step.undoes:
            _mark_undone(step.undoes)
    _conclude(attendance)


def _write_undo_steps(run: Run) -> None:
    if run.steps.exclude(undoes=None).exists():
        return
    done = [
        (step, step.value, step.value.undo)
        for step in run.steps.filter(state__in=_UNDO).select_related("host")
        if step.value.undo and _may_be_in_force(step)
    ]
    last = run.steps.count()
    back = [
        (step, made)
        for step, change, undo in reversed(done)
        for made in (_undo_of(change, undo), announcement_after(undo, change.host))
        if made
    ]
    Step.objects.bulk_create(
        Step(
            run=run,
            position=last + n,
            host=step.host,
            undoes=step,
            change=made.as_json(),
        )
        for n, (step, made) in enumerate(back, start=1)
    )


def _may_be_in_force(step: Step) -> bool:
    if step.state != Step.State.FAILED:
        return True
    return step.exit_status is not None and step.value.command.argv[0] == "ipvsadm"


def _undo_of(change: Change, undo: Command) -> Change:
    return replace(
        change,
        mark=Mark.DELETE,
        sentences=tuple(_("Undo: {what}", what=s) for s in change.sentences),
        command=undo,
        undo=change.command,
        undo_note=None,
        refusal=None,
    )


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
