"""A worker may die at any moment of a run; the next one brings it to its end."""

import pytest

from cluster import audit
from cluster.control import steps
from cluster.models import AuditEvent, Run
from tests.fake_shell import FakeShell

STEPS = 13
WRITERS = ("arping", "ip", "ipvsadm", "sysctl", "sh", "rm")


class Killed(BaseException):
    """What SIGKILL looks like from inside: nothing after it is carried out."""


MOMENTS = ("before the command", "after the command", "after the outcome")


def kill_at(lab, monkeypatch, moment, number):
    """Let the worker die at *moment* of its *number*-th command, once."""
    count = 0

    def dies_here():
        nonlocal count
        count += 1
        return count == number

    original = FakeShell.run

    def run(shell, command):
        program, *words = command.argv
        asks = words[0] in ("-j", "-Sn", "-Ln")
        if asks or program not in WRITERS:
            return original(shell, command)
        dying = moment != MOMENTS[2] and dies_here()
        if dying and moment == MOMENTS[0]:
            raise Killed
        answer = original(shell, command)
        if dying:
            raise Killed
        return answer

    record = steps._record

    def recorded(attendance, step, seconds):
        record(attendance, step, seconds)
        if moment == MOMENTS[2] and dies_here():
            raise Killed

    monkeypatch.setattr(FakeShell, "run", run)
    monkeypatch.setattr(steps, "_record", recorded)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", range(1, STEPS + 1))
def test_a_run_whose_worker_is_killed_converges_without_doing_anything_twice(
    lab, monkeypatch, moment, number
):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    kill_at(lab, monkeypatch, moment, number)
    with pytest.raises(Killed):
        lab.attend(run)
    assert lab.attend(run).state != Run.State.CONVERGED, "the lease still holds"
    lab.expire_lease(run)
    assert lab.attend(run).state == Run.State.CONVERGED
    writes = lab.writes()
    assert len(writes) == len(set(writes)), writes
    assert_every_intent_has_its_outcome(run)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", range(9, 16))
def test_a_worker_killed_while_undoing_leaves_the_hosts_as_they_were(
    lab, monkeypatch, moment, number
):
    lab.want()
    before = lab.states()
    refused = "-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1"
    lab.models["lb01"].refused.add(refused)
    run = lab.plan()
    lab.confirm(run)
    kill_at(lab, monkeypatch, moment, number)
    with pytest.raises(Killed):
        lab.attend(run)
    lab.expire_lease(run)
    lab.attend(run)
    assert run.state == Run.State.RETURNED
    assert lab.states() == before
    assert_every_intent_has_its_outcome(run)


def test_a_run_that_was_changed_behind_its_back_is_undone(lab, monkeypatch):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    kill_at(lab, monkeypatch, MOMENTS[2], 5)
    with pytest.raises(Killed):
        lab.attend(run)
    lab.models["web1"].reboot()
    lab.expire_lease(run)
    lab.attend(run)
    assert run.state == Run.State.RETURNED
    assert "changed by somebody else" in str(run.account_sentences[0])
    assert lab.apply().state == Run.State.CONVERGED


def test_a_run_that_kills_every_worker_is_given_up(lab, monkeypatch):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    monkeypatch.setattr(FakeShell, "run", _raise_killed)
    for _ in range(8):
        lab.expire_lease(run)
        with pytest.raises(Killed):
            lab.attend(run)
    monkeypatch.undo()
    lab.expire_lease(run)
    assert lab.attend(run).state == Run.State.RETURNED


def _raise_killed(*args):
    raise Killed


def assert_every_intent_has_its_outcome(run):
    for step in run.steps.all():
        events = AuditEvent.objects.filter(step=step.pk).order_by("seq")
        actions = [event.action for event in events]
        assert actions == ["intent", "outcome"] * (len(actions) // 2), actions
    assert audit.verify()[1] is None
