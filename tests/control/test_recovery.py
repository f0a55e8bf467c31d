"""A worker may die at any moment of a run; the next one brings it to its end."""

import pytest

from cluster import audit
from cluster.control import steps
from cluster.lvs import sequence
from cluster.models import AuditEvent, Run, Step
from tests.fake_shell import FakeShell

STEPS = 13
WRITERS = ("arping", "ip", "ipvsadm", "sysctl", "sh", "rm")


class Killed(BaseException):
    """What SIGKILL looks like from inside: nothing after it is carried out."""


MOMENTS = ("before the command", "after the command", "after the outcome")
# What a host does with commands that were sent together: it waits after each until its
# outcome is written, it is faster than the database, or it goes on without a worker.
HOSTS = (
    "waits",
    pytest.param("ahead", marks=pytest.mark.slow),
    pytest.param("goes on", marks=pytest.mark.slow),
)


def kill_at(lab, monkeypatch, moment, number, host="waits"):
    """Let the worker die at *moment* of its *number*-th command, once."""
    death = Death(moment, number, host)
    monkeypatch.setattr(FakeShell, "ahead", host == "ahead")
    monkeypatch.setattr(FakeShell, "run", lambda *args: death.run(*args))
    monkeypatch.setattr(steps, "_record", death.record)


class Death:
    def __init__(self, moment, number, host):
        self.moment, self.number, self.host = moment, number, host
        self.count = 0
        self.original, self.original_record = FakeShell.run, steps._record

    def run(self, shell, command):
        self.shell = shell
        program, *words = command.argv
        asks = words[0] in ("-j", "-Sn", "-Ln")
        if asks or program not in WRITERS:
            return self.original(shell, command)
        if self.moment == MOMENTS[0]:
            self.perhaps([command, *shell.rest])
        answer = self.original(shell, command)
        if self.moment == MOMENTS[1]:
            self.perhaps(shell.rest if good(command, answer) else [])
        return answer

    def record(self, attendance, step, seconds):
        self.original_record(attendance, step, seconds)
        if self.moment == MOMENTS[2]:
            self.perhaps(self.shell.rest if step.state == Step.State.DONE else [])

    def perhaps(self, rest):
        self.count += 1
        if self.count != self.number:
            return
        for command in rest if self.host == "goes on" else []:
            if not good(command, self.original(self.shell, command)):
                break
        raise Killed


def good(command, answer):
    return sequence.succeeded(command, answer.exit_status, answer.stderr)


@pytest.mark.each_step
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", range(1, STEPS + 1))
def test_a_run_whose_worker_is_killed_converges_without_doing_anything_twice(
    lab, monkeypatch, moment, number, host
):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    kill_at(lab, monkeypatch, moment, number, host)
    with pytest.raises(Killed):
        lab.attend(run)
    assert lab.attend(run).state != Run.State.CONVERGED, "the lease still holds"
    lab.expire_lease(run)
    assert lab.attend(run).state == Run.State.CONVERGED
    writes = lab.writes()
    assert len(writes) == len(set(writes)), writes
    assert_every_intent_has_its_outcome(run)


@pytest.mark.each_step
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", range(9, 16))
def test_a_worker_killed_while_undoing_leaves_the_hosts_as_they_were(
    lab, monkeypatch, moment, number, host
):
    lab.want()
    before = lab.states()
    refused = "-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1"
    lab.models["lb01"].refused.add(refused)
    run = lab.plan()
    lab.confirm(run)
    kill_at(lab, monkeypatch, moment, number, host)
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
