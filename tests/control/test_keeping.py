"""A run that returns by itself unless somebody keeps it, against hosts in memory."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from cluster import audit, review
from cluster.audit import Actor
from cluster.control import keeping, returning, running
from cluster.control import steps as sending
from cluster.models import AuditEvent, Run, Step
from tests.build import WEB2, real_server
from tests.control.test_recovery import MOMENTS, Killed, kill_at
from tests.model_host import ModelHost

State = Run.State
SECONDS = 120


@pytest.fixture
def lab(lab):
    lab.cluster.confirm_seconds = SECONDS
    lab.cluster.save()
    return lab


def told(run):
    return " ".join(str(s) for s in (*run.account_sentences, *run.caution_sentences))


def said_keep(lab, run):
    return review.keep(run, lab.operator, Actor.of_user(lab.operator))


def time_passes(lab, run, seconds=SECONDS + 10):
    """Move the clock on: every host that is still armed returns by itself."""
    row = Run.objects.get(pk=run.pk)
    ago = timedelta(seconds=seconds)
    row.keep_until -= ago
    row.pause_until = row.pause_until and row.pause_until - ago
    row.save(update_fields=["keep_until", "pause_until"])
    for model in lab.models.values():
        model.lapse()


def as_json(lab):
    """What the hosts have, but for timers that lapse without doing anything."""
    found = {name: state.as_json() for name, state in lab.states().items()}
    for state in found.values():
        state["boot"]["returns"] = [
            n for n in state["boot"]["returns"] if not n.endswith(".timer")
        ]
    return found


def begin(lab):
    lab.want()
    before = as_json(lab)
    run = lab.apply()
    assert run.state == State.CONFIRMING, told(run)
    return run, before


def test_hosts_are_armed_before_anything_else_and_the_run_waits(lab):
    run, _before = begin(lab)
    steps = list(run.steps.all())
    assert [s.value.phase for s in steps[:4]] == [0, 0, 0, 1]
    assert {s.host.name for s in steps[:3]} == {"lb01", "web1", "web2"}
    assert lab.attend(run).state == State.CONFIRMING, "nobody need look at it yet"
    assert run.keep_until > timezone.now()
    assert not lab.cluster.revisions.exists()


def test_kept_in_time_it_stays_and_no_timer_does_anything(lab):
    run, _before = begin(lab)
    assert said_keep(lab, run)
    assert not said_keep(lab, run), "once is enough"
    assert lab.attend(run).state == State.CONVERGED, told(run)
    assert run.kept_by == lab.operator
    after = as_json(lab)
    for model in lab.models.values():
        model.lapse()
    assert as_json(lab) == after
    assert not any(model.state.boot.returns for model in lab.models.values())
    assert lab.cluster.revisions.count() == 1
    assert lab.plan().state == State.CONVERGED, "there is nothing left to do"


def test_without_keep_the_hosts_return_and_the_run_says_so(lab):
    run, before = begin(lab)
    time_passes(lab, run)
    assert as_json(lab) == before, "without a worker"
    writes = lab.writes()
    assert lab.attend(run).state == State.RETURNED, told(run)
    assert lab.writes() == writes, "the worker undid nothing a second time"
    assert "Nobody said keep" in told(run)
    assert not any(host.left_behind for host in lab.cluster.hosts.all())
    back = run.steps.exclude(undoes=None)
    assert {s.state for s in back} == {"skipped"}
    assert not said_keep(lab, run)


def test_a_change_of_what_was_there_comes_back_too(lab):
    lab.cluster.confirm_seconds = 0
    lab.cluster.save()
    service = lab.want()
    assert lab.apply().state == State.CONVERGED
    before = as_json(lab)
    lab.cluster.confirm_seconds = SECONDS
    lab.cluster.save()
    service.delete()
    run = lab.apply()
    assert run.state == State.CONFIRMING
    time_passes(lab, run)
    assert lab.attend(run).state == State.RETURNED, told(run)
    assert as_json(lab) == before


@pytest.mark.parametrize("name", ["lb01", "web1"])
def test_a_host_that_is_cut_off_returns_and_is_waited_for(lab, name):
    run, before = begin(lab)
    lab.cut_off(name)
    time_passes(lab, run)
    assert as_json(lab) == before
    assert lab.attend(run).state == State.RETURNING, "it will say so itself"
    assert lab.attend(run).state == State.RETURNING
    lab.down.clear()
    Run.objects.filter(pk=run.pk).update(pause_until=None)
    assert lab.attend(run).state == State.RETURNED, told(run)
    assert as_json(lab) == before


def test_a_host_that_never_answers_again_makes_it_partial(lab):
    run, _before = begin(lab)
    lab.cut_off("web1")
    time_passes(lab, run, SECONDS + returning.PATIENCE.total_seconds() + 1)
    assert lab.attend(run).state == State.PARTIAL
    assert "web1: Bind 10.0.1.31 to lo" in told(run)
    assert "lb01" not in told(run)


def test_a_director_that_is_cut_off_while_it_is_changed_returns(lab, monkeypatch):
    """The change itself has cut the dashboard off."""
    lab.want()
    before = as_json(lab)
    run = lab.plan()
    lab.confirm(run)
    sent = sending.perform_together
    position = next(s.position for s in run.steps.all() if s.value.phase == 4)

    def perform(attendance, steps):
        if position in [step.position for step in steps]:
            lab.cut_off("lb01")
            attendance.shells.pop("lb01").close()
        return sent(attendance, steps)

    monkeypatch.setattr(running, "perform_together", perform)
    lab.attend(run)
    monkeypatch.undo()
    assert run.state == State.RETURNING, told(run)
    time_passes(lab, run)
    assert as_json(lab) == before
    lab.down.clear()
    Run.objects.filter(pk=run.pk).update(pause_until=None)
    assert lab.attend(run).state == State.RETURNED, told(run)


def test_keep_that_does_not_reach_every_host_is_no_keep(lab):
    run, before = begin(lab)
    lab.cut_off("web2")
    assert said_keep(lab, run)
    assert lab.attend(run).state == State.RETURNING
    assert "could not be told" in told(run)
    time_passes(lab, run)
    lab.down.clear()
    Run.objects.filter(pk=run.pk).update(pause_until=None)
    assert lab.attend(run).state == State.RETURNED, told(run)
    assert as_json(lab) == before


def test_a_timer_that_was_faster_than_keep_takes_all_hosts_back(lab):
    run, before = begin(lab)
    assert said_keep(lab, run)
    lab.models["web1"].lapse()
    assert lab.attend(run).state == State.RETURNED, told(run)
    assert as_json(lab) == before


def test_a_failed_step_is_undone_by_the_worker_and_no_timer_follows(lab):
    lab.want()
    before = as_json(lab)
    lab.models["lb01"].refused.add("-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1")
    run = lab.apply()
    assert run.state == State.RETURNED, told(run)
    assert as_json(lab) == before
    writes = lab.writes()
    for model in lab.models.values():
        model.lapse()
    assert lab.writes() == writes


def test_a_run_that_takes_too_long_is_not_carried_on(lab, monkeypatch):
    lab.want()
    before = as_json(lab)
    monkeypatch.setattr(keeping, "STEP", timedelta(seconds=SECONDS + 1))
    run = lab.apply()
    assert run.state == State.RETURNED, told(run)
    assert "was over before its end" in told(run)
    assert as_json(lab) == before


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [1, 2, 4, 9, 16])
def test_a_worker_killed_on_the_way_changes_nothing_of_that(
    lab, monkeypatch, moment, number
):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    kill_at(lab, monkeypatch, moment, number)
    with pytest.raises(Killed):
        lab.attend(run)
    lab.expire_lease(run)
    assert lab.attend(run).state == State.CONFIRMING, told(run)
    assert said_keep(lab, run)
    assert lab.attend(run).state == State.CONVERGED
    writes = lab.writes()
    assert len(writes) == len(set(writes)), writes
    check_audit(run)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_worker_killed_while_it_takes_the_timers_away(
    lab, monkeypatch, moment, number
):
    run, _before = begin(lab)
    said_keep(lab, run)
    kill_at(lab, monkeypatch, moment, number)
    with pytest.raises(Killed):
        lab.attend(run)
    lab.expire_lease(run)
    assert lab.attend(run).state == State.CONVERGED, told(run)
    check_audit(run)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_worker_dies_while_it_undoes_and_the_timers_end_meanwhile(
    lab, monkeypatch, number
):
    """Each host is undone once: by whoever took its file away."""
    lab.want()
    before = as_json(lab)
    lab.models["lb01"].refused.add("-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1")
    run = lab.plan()
    lab.confirm(run)
    count = Counter()
    for name in ("perform", "perform_together"):
        whole = getattr(returning, name)
        monkeypatch.setattr(returning, name, dying(whole, number, count))
    with pytest.raises(Killed):
        lab.attend(run)
    monkeypatch.undo()
    time_passes(lab, run)
    lab.expire_lease(run)
    lab.attend(run)
    assert run.state == State.RETURNED, told(run)
    assert as_json(lab) == before


def dying(perform, number, count):
    def dies(attendance, step):
        count["sent"] += 1
        if count["sent"] == number:
            raise Killed
        return perform(attendance, step)

    return dies


def test_a_host_that_lost_its_power_while_it_waited_takes_all_back(lab):
    run, before = begin(lab)
    lab.models["web1"].reboot()
    assert said_keep(lab, run)
    assert lab.attend(run).state == State.RETURNED, told(run)
    for name in ("lb01", "web2"):
        assert as_json(lab)[name] == before[name]


def test_a_host_without_the_units_is_named_and_the_others_are_armed(lab):
    lab.models["web2"] = ModelHost(real_server(WEB2))
    lab.want()
    before = as_json(lab)
    run = lab.apply()
    assert "web2 cannot return without the dashboard" in told(run)
    assert run.state == State.CONFIRMING
    time_passes(lab, run)
    assert lab.attend(run).state == State.RETURNED, "the worker undoes web2"
    assert as_json(lab) == before


def check_audit(run):
    for step in run.steps.all():
        events = AuditEvent.objects.filter(step=step.pk).order_by("seq")
        actions = [event.action for event in events]
        assert actions == ["intent", "outcome"] * (len(actions) // 2), actions
    assert audit.verify()[1] is None
    assert not run.steps.filter(state=Step.State.SENT).exists()
