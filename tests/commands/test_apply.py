"""Applying at the shell: exactly the plan that was seen, told to its end."""

import io

import pytest

from cluster.control import running
from cluster.management import attendance
from cluster.models import AuditEvent, Run, Step
from cluster.remote.shell import Unreachable
from tests.commands.conftest import Terminal

State = Run.State
RULE = "-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1"


@pytest.fixture
def lab(cluster_of_notes):
    cluster_of_notes.want()
    return cluster_of_notes


def test_a_plan_that_was_seen_is_applied(lab, run_command):
    number = run_command("plan", "lab", "--json").data["run"]["number"]
    done = run_command("apply", "lab", "--run", number, "--yes", "--json")
    assert (done.exit, done.data["outcome"], done.err) == (0, "done", "")
    run = Run.objects.get()
    assert (run.state, run.confirmed_by) == (State.CONVERGED, lab.operator)
    told = done.data["run"]
    assert (told["state"], told["revision"]) == ("converged", 1)
    assert {step["state"] for step in told["steps"]} == {"done"}
    assert "10.0.1.31" in str(lab.models["lb01"].state.table)
    confirmed = AuditEvent.objects.get(action="confirmed")
    assert confirmed.actor == "li.wei"
    assert confirmed.address.startswith("shell of ")


def test_in_a_pipe_each_step_is_a_line(lab, run_command):
    done = run_command("apply", "lab", "--yes")
    run = Run.objects.get()
    lines = [line for line in done.out.splitlines() if "… done, " in line]
    assert len(lines) == run.steps.count()
    assert lines[0].startswith(
        "   1 lb01: Check that nobody on the LAN answers for 10.0.1.31 … done, 0."
    )
    assert done.out.splitlines()[-2:] == [
        f"Run #{run.pk}: applied and verified",
        "  Every host was read again and is as wished.",
    ]
    assert done.exit == 0


def test_nothing_to_do_is_done(lab, run_command):
    lab.apply()
    assert run_command("apply", "lab", "--json").exit == 0
    assert run_command("apply", "lab", "--run", Run.objects.first().pk).exit == 0


# -- confirming --


def test_without_a_yes_nothing_is_sent(lab, run_command):
    done = run_command("apply", "lab", "--json")
    run = Run.objects.get()
    assert (done.exit, run.state, lab.writes()) == (5, State.PLANNED, [])
    assert done.data["messages"] == [
        "Nobody has confirmed this plan: --yes does. Nothing was sent.",
        f"To apply exactly this plan: manage.py apply lab --run {run.pk} --yes",
    ]
    assert done.data["run"]["state"] == "planned"


@pytest.mark.parametrize(
    ("typed", "state"),
    [("yes\n", State.CONVERGED), ("y\n", State.PLANNED), ("", State.PLANNED)],
)
def test_at_a_terminal_it_asks(lab, run_command, monkeypatch, typed, state):
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    done = run_command("apply", "lab", terminal=True)
    assert "Type yes to apply this: " in done.out
    assert Run.objects.get().state == state
    assert done.exit == (0 if state == State.CONVERGED else 5)


@pytest.fixture
def cautious(lab):
    """The only service goes: there are reasons for a second look."""
    lab.apply()
    lab.cluster.services.all().delete()
    return lab


@pytest.mark.parametrize("words", [(), ("--yes",), ("--yes", "--confirm", "lba")])
def test_reasons_need_the_name_of_the_cluster(cautious, run_command, words):
    before = len(cautious.writes())
    done = run_command("apply", "lab", *words, "--json")
    assert done.exit == 5
    assert done.data["messages"][0].startswith(
        "Reasons for a second look: this needs --confirm lab."
    )
    assert len(cautious.writes()) == before


def test_the_name_confirms(cautious, run_command):
    done = run_command("apply", "lab", "--confirm", "lab")
    assert done.exit == 0
    assert not cautious.models["lb01"].state.table.services


def test_the_name_can_be_typed(cautious, run_command, monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal("lab\n"))
    assert run_command("apply", "lab", terminal=True).exit == 0


def test_yes_typed_by_a_pipe_is_no_yes(lab, run_command, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert run_command("apply", "lab", terminal=True).exit == 5


# -- other ends --


def test_a_plan_that_is_out_of_date_is_refused(lab, run_command):
    number = run_command("plan", "lab", "--json").data["run"]["number"]
    model = lab.models["web1"]
    model._sysctl(("-q", "-w", "net.ipv4.conf.lo.arp_ignore=1"), "")
    before = len(lab.writes())
    done = run_command("apply", "lab", "--run", number, "--yes", "--json")
    assert (done.exit, done.data["run"]["state"]) == (4, "stale")
    assert len(lab.writes()) == before


def test_an_ended_plan_cannot_be_applied(lab, run_command):
    old = lab.plan()
    run_command("plan", "lab")
    done = run_command("apply", "lab", "--run", old.pk, "--yes")
    assert (done.exit, done.err) == (
        4,
        "This plan can no longer be applied: plan again.\n",
    )


def test_a_plan_that_cannot_be_made_is_refused(lab, run_command, dead):
    dead("lb01")
    assert run_command("apply", "lab", "--yes").exit == 4


def test_a_run_of_another_cluster_is_an_error(lab, run_command):
    done = run_command("apply", "lab", "--run", 999)
    assert (done.exit, done.err) == (1, "This cluster has no run #999.\n")


def test_a_refused_rule_is_undone_and_partial_in_the_exit_code(lab, run_command):
    lab.models["lb01"].refused.add(RULE)
    before = lab.states()
    done = run_command("apply", "lab", "--yes")
    assert (done.exit, Run.objects.get().state) == (3, State.RETURNED)
    assert "… failed" in done.out
    assert "Undo: " in done.out
    assert done.out.count("… done") == Run.objects.get().steps.exclude(
        state=Step.State.SKIPPED
    ).count() - len(Step.objects.filter(state=Step.State.FAILED))
    assert lab.states() == before


@pytest.mark.slow
def test_a_host_that_is_lost_on_the_way_is_partial(lab, run_command, monkeypatch):
    """web2 answers no more once its ARP is quiet: what is on it is not known."""
    run = lab.plan()
    model = lab.models["web2"]
    sysctl = model._sysctl

    def last(words, stdin):
        answer = sysctl(words, stdin)
        lab.down["web2"] = Unreachable("web2", "web2 does not answer.")
        lab.shells["web2"].close()
        return answer

    monkeypatch.setattr(model, "_sysctl", last)
    done = run_command("apply", "lab", "--run", run.pk, "--yes", "--json")
    assert (done.exit, done.data["run"]["state"]) == (3, "partial")
    account = done.data["run"]["account"]
    assert "Not known, because the host does not answer:" in account


def test_a_run_that_was_left_by_a_dead_process_goes_on(lab, run_command):
    run = lab.plan()
    lab.confirm(run)
    done = run_command("apply", "lab", "--run", run.pk)
    assert done.exit == 0
    run.refresh_from_db()
    assert run.state == State.CONVERGED


def test_it_waits_for_the_worker_that_has_the_run(lab, run_command, monkeypatch):
    run = lab.plan()
    lab.confirm(run)
    Run.objects.filter(pk=run.pk).update(lease_until="2999-01-01T00:00:00Z")
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            lab.expire_lease(run)
            running.attend(run.pk, lab.connect)

    monkeypatch.setattr(attendance.time, "sleep", nap)
    assert run_command("apply", "lab", "--run", run.pk).exit == 0
    assert len(naps) == 3


def test_an_interrupt_says_how_it_goes_on(lab, run_command, monkeypatch):
    run = lab.plan()

    def interrupt(_pk, _connect):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "attend", interrupt)
    done = run_command("apply", "lab", "--run", run.pk, "--yes")
    assert (done.exit, done.err) == (
        1,
        (
            f"Interrupted. Run #{run.pk} goes on when a worker takes it, or with:"
            f" manage.py apply lab --run {run.pk}\n"
        ),
    )


def test_a_terminal_shows_a_bar_and_every_step(lab, run_command, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    done = run_command("apply", "lab", "--yes", terminal=True)
    assert done.exit == 0
    assert done.out.count("… done") == Run.objects.get().steps.count()
    assert "\x1b[?25h" in done.out  # the cursor is back


# -- the confirm window ---------------------------------------------------------------


@pytest.fixture
def window(lab):
    lab.cluster.confirm_seconds = 120
    lab.cluster.save()


def test_keep_in_the_call_keeps_what_was_applied(lab, window, run_command):
    done = run_command("apply", "lab", "--yes", "--keep", "--json")
    assert (done.exit, done.data["outcome"]) == (0, "done")
    run = Run.objects.get()
    assert (run.state, run.kept_by) == (State.CONVERGED, lab.operator)
    assert not any(model.state.boot.returns[1:] for model in lab.models.values())


def test_without_it_the_command_says_how_and_a_second_one_keeps(
    lab, window, run_command
):
    done = run_command("apply", "lab", "--yes")
    run = Run.objects.get()
    assert run.state == State.CONFIRMING
    assert done.exit == 5, done.out
    assert f"manage.py apply lab --run {run.pk} --keep" in done.out + done.err
    assert run_command("apply", "lab", "--run", run.pk, "--keep").exit == 0
    run.refresh_from_db()
    assert run.state == State.CONVERGED


@pytest.mark.slow
def test_at_a_terminal_it_asks_whether_to_keep(lab, window, run_command, monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal("yes\nkeep\n"))
    done = run_command("apply", "lab", terminal=True)
    assert done.exit == 0, done.out
    assert "Type keep, or it is undone" in done.out
