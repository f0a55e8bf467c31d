"""A run that was applied and waits for somebody to say "keep": see lvs/arming.py.

    VERIFYING -> CONFIRMING -> (kept) every timer is taken away -> VERIFYING -> CONVERGED
                     +-> (time is up, or a timer was faster) -> RETURNING

Each host has its own timer; "keep" counts only when it has reached all of them. So a run
that is kept was read back after the last timer was gone.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from cluster import review
from cluster.audit import Actor
from cluster.control.recovery import arm_steps, settle_undo
from cluster.control.steps import Attendance, perform
from cluster.control.undoing import write_undo
from cluster.lvs import probe, sequence
from cluster.lvs.arming import is_arming
from cluster.lvs.command import DEADLINE
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Host, Run, Step
from cluster.remote.shell import RemoteError

# A step and what belongs to it are over in this time: a command, a login.
STEP = timedelta(seconds=20)
# The timers of the hosts were set after our clock was started, one after the other.
SLACK = timedelta(seconds=5)
PROBE_AGAIN = timedelta(seconds=5)


def start_clock(run: Run, step: Step) -> None:
    """Begin to count before the first host does."""
    if run.keep_until is None and run.keep_seconds and is_arming(step.value):
        run.keep_until = timezone.now() + timedelta(seconds=run.keep_seconds)
        run.save(update_fields=["keep_until"])


def seconds_to_send(run: Run) -> float:
    """Return for how long commands that are sent now may go on before they might meet a
    host that returns by itself; nothing when one alone might."""
    if run.keep_until is None:
        return sequence.LONGEST
    left = (run.keep_until - timezone.now() - STEP).total_seconds()
    return left + DEADLINE if left >= 0 else 0.0


def must_be_kept(run: Run) -> bool:
    return run.kept_at is None and bool(arm_steps(run))


def wait(run: Run) -> None:
    """Let the run wait for a person, or for the probe host."""
    run.state, run.pause_until = Run.State.CONFIRMING, None
    if run.keep_until and not run.cluster.keep_by_probe:
        run.pause_until = run.keep_until + SLACK
    run.save(update_fields=["state", "pause_until"])


def go_on(attendance: Attendance) -> None:
    """Bring a run that waits to its next state, or let it wait on."""
    run = attendance.run
    if run.kept_at is None and run.keep_until and timezone.now() < run.keep_until:
        if not _kept_by_probe(attendance):
            return
        run.refresh_from_db(fields=["kept_at", "kept_by", "pause_until"])
    if run.kept_at is None:
        text = _("Nobody said keep within {count} s.", count=run.keep_seconds)
        _enter(run, Run.State.RETURNING, text)
    elif failed := _disarm(attendance):
        text = _("{host} could not be told to keep this, so no host keeps it.",
                 host=failed.host.name)  # fmt: skip
        trouble = [failed.trouble_sentence] if failed.trouble_sentence else []
        _enter(run, Run.State.RETURNING, text, *trouble)
    else:
        _enter(run, Run.State.VERIFYING)


def _enter(run: Run, state: str, *why: Sentence) -> None:
    run.tell(why)
    run.state, run.pause_until = state, None
    run.save(update_fields=["state", "account", "pause_until"])


def _disarm(attendance: Attendance) -> Step | None:
    """Take every timer away; return the first that could not be, if any."""
    run = attendance.run
    write_undo(run, arm_steps(run))
    settle_undo(attendance)
    steps = run.steps.filter(undoes__in=arm_steps(run)).exclude(state=Step.State.DONE)
    for step in steps.select_related("host", "host__credential", "run__cluster"):
        if step.state != Step.State.PENDING or not perform(attendance, step):
            return step
    return None


def _kept_by_probe(attendance: Attendance) -> bool:
    """Ask the probe host; without an answer from every service the run waits on."""
    run = attendance.run
    Run.objects.filter(pk=run.pk).update(pause_until=timezone.now() + PROBE_AGAIN)
    hosts = run.cluster.hosts.select_related("credential").trusted()
    client = hosts.filter(role=Host.Role.PROBE).first()
    wanted = probe.asked(run.wanted.table)
    if not (client and wanted and run.cluster.keep_by_probe):
        return False
    try:
        shell = attendance.connect(client)
        with shell:
            for at in wanted:
                attendance.renew()
                if not probe.is_connected(shell.run(probe.connect(at)).text):
                    return False
    except RemoteError:
        return False
    run.tell([_("{client} reached every TCP service.", client=client.name)])
    run.save(update_fields=["account"])
    return review.keep(run, None, Actor())
