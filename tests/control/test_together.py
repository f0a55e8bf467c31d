"""Steps that go to a host together, in one round trip."""

import pytest

from cluster.control import steps as sending
from cluster.models import AuditEvent, Run, Step
from cluster.remote.shell import OutcomeUnknown
from tests.control.test_failures import is_write
from tests.fake_shell import FakeShell

pytestmark = pytest.mark.django_db
# Step 1 asks the LAN, 2 to 4 and 5 to 7 prepare the real servers, 8 to 11 are the
# director's, its boot file among them, and the last two are boot files.
SIZES = [("lb01", 1), ("web1", 3), ("web2", 3), ("lb01", 4), ("web1", 1), ("web2", 1)]


@pytest.fixture
def trips(monkeypatch):
    """Note every round trip that writes, by its host and how many commands it has."""
    made = []
    original = FakeShell.run_in_order

    def run_in_order(shell, commands):
        made.append((shell.name, len(commands)))
        return original(shell, commands)

    monkeypatch.setattr(FakeShell, "run_in_order", run_in_order)
    return made


def confirmed(lab):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    return run


def at(monkeypatch, number, happens):
    """Call *happens(shell, command, run)* for the *number*-th command of the run."""
    count, run = 0, FakeShell.run

    def counting(shell, command):
        nonlocal count
        if not is_write(command):
            return run(shell, command)
        count += 1
        if count != number:
            return run(shell, command)
        return happens(shell, command, lambda: run(shell, command))

    monkeypatch.setattr(FakeShell, "run", counting)


def states(run):
    return [step.state for step in run.steps.filter(undoes=None)]


def actions(step):
    events = AuditEvent.objects.filter(step=step.pk).order_by("seq")
    return [event.action for event in events]


def test_consecutive_steps_of_a_host_are_one_round_trip(lab, trips):
    run = confirmed(lab)
    assert lab.attend(run).state == Run.State.CONVERGED
    assert trips == SIZES
    assert sum(size for _name, size in trips) == run.steps.count()


def test_undoing_takes_as_few(lab, trips):
    lab.models["lb01"].refused.add("-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1")
    run = confirmed(lab)
    assert lab.attend(run).state == Run.State.RETURNED
    assert trips == [*SIZES[:4], ("lb01", 1), ("web2", 3), ("web1", 3)]


def test_all_of_them_are_announced_before_the_first_leaves(lab, monkeypatch):
    run = confirmed(lab)
    seen = []

    def look(shell, command, carry_out):
        seen.extend((s.state, actions(s)) for s in run.steps.filter(position__lte=5))
        return carry_out()

    at(monkeypatch, 2, look)
    assert lab.attend(run).state == Run.State.CONVERGED
    sent = (Step.State.SENT, ["intent"])
    over = (Step.State.DONE, ["intent", "outcome"])
    assert seen == [over, sent, sent, sent, (Step.State.PENDING, [])]


def test_each_outcome_is_written_when_it_arrives(lab, monkeypatch):
    run = confirmed(lab)
    seen = []

    def look(shell, command, carry_out):
        seen.extend(states(run)[:5])
        return carry_out()

    at(monkeypatch, 4, look)
    lab.attend(run)
    done, sent, pending = Step.State.DONE, Step.State.SENT, Step.State.PENDING
    assert seen == [done, done, done, sent, pending]


def test_what_follows_a_failure_was_not_sent(lab):
    lab.models["lb01"].refused.add("-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1")
    run = confirmed(lab)
    lab.attend(run)
    failed = run.steps.get(position=8)
    assert failed.state == Step.State.FAILED
    assert "Step 8 on lb01 failed" in str(run.account_sentences[0])
    for step in run.steps.filter(undoes=None, position__gt=8):
        assert (step.state, step.sent_at) == (Step.State.SKIPPED, None)
    together = run.steps.filter(position__in=[9, 10, 11])
    assert [actions(step) for step in together] == [["intent", "outcome"]] * 3
    told = AuditEvent.objects.filter(step=together[0].pk).latest("seq").text
    assert "Not carried out, because a command before it failed" in told


def lose(shell, command, carry_out):
    """The connection ends; until then the command was carried out."""
    carry_out()
    shell.close()
    raise OutcomeUnknown(shell.name, f"{shell.name} broke the connection off.")


def test_a_host_is_looked_at_when_its_commands_must_have_ended(
    lab, monkeypatch, waited
):
    """It answers again, so that it is undone; what was not in force is left alone."""
    run = confirmed(lab)
    before = lab.states()
    at(monkeypatch, 3, lose)
    lab.attend(run)
    assert run.state == Run.State.RETURNED, [str(s) for s in run.account_sentences]
    assert lab.states() == before
    assert 10 < sum(waited) < 18
    assert max(waited) <= sending.PATIENCE
    undone = [s.undoes.position for s in run.steps.exclude(undoes=None)]
    assert undone == [3, 2]


def test_a_login_that_died_unnoticed_is_made_anew(lab, monkeypatch, waited):
    """Nothing of the round trip had left, so that it leaves now, once."""
    run = confirmed(lab)
    opened, connect = [], lab.connect

    def connecting(host):
        shell = connect(host)
        opened.append(shell)
        return shell

    def close_others(shell, command, carry_out):
        for other in opened:
            if other.name == "lb01" and other is not shell:
                other.close()
        return carry_out()

    monkeypatch.setattr(lab, "connect", connecting)
    at(monkeypatch, 7, close_others)
    assert lab.attend(run).state == Run.State.CONVERGED
    writes = lab.writes()
    assert len(writes) == len(set(writes))
    assert not waited


def test_after_a_single_command_nobody_waits(lab, monkeypatch, waited):
    run = confirmed(lab)
    at(monkeypatch, 1, lose)
    assert lab.attend(run).state == Run.State.RETURNED
    assert not waited


def test_a_worker_that_has_lost_the_run_writes_no_outcome(lab, monkeypatch):
    run = confirmed(lab)

    def lose_lease(shell, command, carry_out):
        lab.expire_lease(run)
        return carry_out()

    at(monkeypatch, 3, lose_lease)
    lab.attend(run)
    assert run.state == Run.State.RUNNING
    done, sent, pending = Step.State.DONE, Step.State.SENT, Step.State.PENDING
    assert states(run)[:5] == [done, done, sent, sent, pending]
    monkeypatch.undo()
    assert lab.attend(run).state == Run.State.CONVERGED
    writes = lab.writes()
    assert len(writes) == len(set(writes))


def test_a_check_before_what_is_in_force_is_not_repeated(lab):
    """An address that is bound already would be asked for on the LAN."""
    run = confirmed(lab)
    director = run.steps.filter(host__name="lb01", undoes=None)
    check = director.get(position=1)
    bind = next(
        s for s in director if s.value.command.argv[:3] == ("ip", "addr", "add")
    )
    for step in (check, bind):
        lab.models["lb01"](step.value.command)
    for step in director.filter(position__lte=bind.position):
        step.state = Step.State.SENT
        step.save()
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING)
    lab.models["lb01"].taken.add("10.0.1.31")
    lab.attend(run)
    check.refresh_from_db()
    assert "what followed it on lb01 is in force" in str(check.trouble_sentence)


def test_commands_that_are_not_ours_go_with_no_other(lab, trips):
    run = confirmed(lab)
    odd = run.steps.get(position=3)
    odd.change["command"]["argv"] = ["reboot"]
    odd.save()
    assert lab.attend(run).state == Run.State.RETURNED
    assert trips[:2] == [("lb01", 1), ("web1", 1)]
    odd.refresh_from_db()
    assert odd.state == Step.State.FAILED
    assert "not one of our commands" in str(odd.trouble_sentence)


def test_each_step_has_a_time_of_its_own(lab):
    """They are sent at one moment, and later ones end later."""
    run = confirmed(lab)
    lab.attend(run)
    first, second = run.steps.filter(position__in=[2, 3])
    assert first.sent_at == second.sent_at
    assert (first.seconds, second.seconds) == (0.01, 0.01), "what the host answers"


def test_a_host_is_read_in_one_round_trip(lab, monkeypatch):
    """Only what is seldom of interest is asked for by itself."""
    alone, ask = [], FakeShell.run

    def run(shell, command):
        if not is_write(command):
            alone.append(command.line)
        return ask(shell, command)

    def run_all(shell, commands):
        return [ask(shell, command) for command in commands]

    monkeypatch.setattr(FakeShell, "run", run)
    monkeypatch.setattr(FakeShell, "run_all", run_all)
    run_ = confirmed(lab)
    assert lab.attend(run_).state == Run.State.CONVERGED
    assert not alone
