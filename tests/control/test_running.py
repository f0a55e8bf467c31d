"""A run from its plan to a definite end, against hosts in memory."""

import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from cluster import audit
from cluster.control.steps import Attendance
from cluster.models import AuditEvent, Revision, Run, Step, Vip
from cluster.remote.shell import HostKey, HostKeyChanged, OutcomeUnknown
from tests.build import at
from tests.lab_in_memory import KEY

State = Run.State


def test_a_service_is_applied_verified_and_kept_as_a_revision(lab):
    lab.want()
    run = lab.apply()
    assert run.state == State.CONVERGED
    assert [s.state for s in run.steps.all()] == ["done"] * 13
    table = lab.models["lb01"].state.table
    assert [s.endpoint for s in table.by_address[at()].servers] == [
        "10.0.1.6:80",
        "10.0.1.9:80",
    ]
    assert run.revision == Revision.objects.get()
    assert run.revision.number == 1
    assert lab.cluster.changed_services() == []


def test_deleting_the_service_leaves_every_host_exactly_as_it_was(lab):
    before = lab.states()
    service = lab.want()
    lab.apply()
    service.delete()
    run = lab.apply()
    assert run.state == State.CONVERGED
    assert lab.states() == before
    assert not any(host.left_behind for host in lab.cluster.hosts.all())
    assert not Vip.objects.exists()


def test_a_second_plan_is_empty(lab):
    lab.want()
    lab.apply()
    writes = lab.writes()
    run = lab.plan()
    assert run.state == State.CONVERGED
    assert not run.steps.exists()
    assert lab.writes() == writes


def test_every_command_has_its_intent_before_and_its_outcome_after(lab):
    lab.want()
    run = lab.apply()
    for step in run.steps.all():
        events = AuditEvent.objects.filter(step=step.pk).order_by("seq")
        assert [e.action for e in events] == ["intent", "outcome"]
        assert events[0].command == step.value.command.line
        assert events[0].actor == "li.wei"
    assert audit.verify()[1] is None


def test_nothing_is_sent_when_the_intent_cannot_be_written(lab, monkeypatch):
    lab.want()
    run = lab.plan()
    lab.confirm(run)

    def full(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(audit, "intents", full)
    with pytest.raises(OSError, match="no space"):
        lab.attend(run)
    assert lab.writes() == []


def test_a_taken_address_stops_the_run_before_anything_is_changed(lab):
    lab.want()
    lab.models["lb01"].taken.add("10.0.1.31")
    run = lab.apply()
    assert run.state == State.RETURNED
    assert lab.writes() == []
    assert "already answers for 10.0.1.31" in str(run.steps.first().trouble_sentence)


def test_a_refused_rule_undoes_everything_though_ipvsadm_ends_with_0(lab):
    lab.want()
    before = lab.states()
    lab.models["lb01"].refused.add("-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1")
    run = lab.apply()
    assert run.state == State.RETURNED
    assert lab.states() == before
    failed = run.steps.get(state="failed", undoes=None)
    assert failed.exit_status == 0


def test_a_host_that_dies_on_the_way_gives_an_exact_account(lab, dead):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    web1 = lab.models["web1"]
    original = web1._sysctl

    def last_words(words, stdin):
        answer = original(words, stdin)
        web1._sysctl = original
        dead("web1")
        return answer

    web1._sysctl = last_words
    lab.attend(run)
    assert run.state == State.PARTIAL
    told = [str(sentence) for sentence in run.account_sentences]
    assert "web1: Keep web1 silent when the LAN asks who has the VIP" in told
    assert not any("web2:" in line for line in told)
    assert lab.states()["web2"].routes == ()
    assert lab.host("web1").left_behind

    web1.reboot()
    lab.down.clear()
    again = lab.apply()
    assert again.state == State.CONVERGED


def test_an_unknown_outcome_is_decided_by_looking(lab):
    lab.want()
    before = lab.states()
    run = lab.plan()
    lab.confirm(run)
    lost = OutcomeUnknown("lb01", "lb01: the connection was lost.")
    connect = lab.connect

    def flaky(host):
        shell = connect(host)
        if host.name == "lb01" and not run.steps.filter(state="unknown").exists():
            shell.fail(lost, on="ip addr add", took_effect=True)
        return shell

    lab.connect = flaky
    lab.attend(run)
    assert run.state in (State.RETURNED, State.PARTIAL)
    lab.connect = connect
    assert lab.apply().state == State.CONVERGED
    lab.cluster.services.all().delete()
    assert lab.apply().state == State.CONVERGED
    assert lab.states() == before


def test_a_changed_host_key_stops_everything_and_sends_nothing(lab):
    lab.want()
    key = HostKey.parse(KEY)
    lab.down["web1"] = HostKeyChanged("web1", "web1 shows another key.", key, None)
    run = lab.plan()
    assert run.state == State.REFUSED
    assert lab.writes() == []
    assert "Nothing was sent" in str(run.account_sentences[0])
    assert lab.host("web1").trouble["kind"]


def test_a_dead_real_server_can_still_be_taken_out(lab, dead):
    service = lab.want()
    lab.apply()
    dead("web1")
    service.servers.get(address="10.0.1.6").delete()
    run = lab.plan()
    assert run.state == State.PLANNED
    assert "web1 cannot be reached" in str(run.caution_sentences[-1])
    lab.confirm(run)
    assert lab.attend(run).state == State.CONVERGED
    servers = lab.models["lb01"].state.table.by_address[at()].servers
    assert [s.endpoint for s in servers] == ["10.0.1.9:80"]
    lab.down.clear()
    assert lab.apply().state == State.CONVERGED
    assert lab.models["web1"].state.routes == ()


def test_a_new_real_server_that_does_not_answer_is_not_put_in_front_of_clients(
    lab, dead
):
    dead("web2")
    lab.want()
    run = lab.plan()
    assert run.state == State.REFUSED
    assert "web2 does not answer" in str(run.account_sentences[0])


def test_a_plan_that_no_longer_fits_is_not_applied(lab):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    lab.models["web1"]._sysctl(("-q", "-w", "net.ipv4.conf.all.arp_ignore=1"), "")
    writes = lab.writes()
    assert lab.attend(run).state == State.STALE
    assert lab.writes() == writes


def test_a_person_who_lost_the_right_meanwhile_applies_nothing(lab):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    lab.operator.role = "viewer"
    lab.operator.save()
    assert lab.attend(run).state == State.CANCELLED
    assert lab.writes() == []


def test_a_service_made_by_hand_is_not_overwritten(lab):
    lab.models["lb01"]._ipvsadm(("-R",), "-A -t 10.0.1.31:80 -s wlc\n")
    lab.want()
    run = lab.plan()
    assert run.state == State.REFUSED
    assert "was not made here" in str(run.account_sentences[0])


def test_the_same_message_three_times_is_one_run(lab):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    for _ in range(3):
        lab.attend(run)
    assert run.state == State.CONVERGED
    writes = lab.writes()
    assert len(writes) == len(set(writes))


def test_a_run_in_other_hands_is_left_alone(lab):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    Run.objects.claim(run.pk, "8c5ee6e8-3ad5-4d7c-9f0c-0a3b3a4d6f11")
    lab.attend(run)
    assert run.state == State.QUEUED
    assert not Step.objects.exclude(state="pending").exists()


def test_a_command_that_no_plan_makes_is_never_sent(lab):
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    step = run.steps.get(position=2)
    step.change["command"]["argv"] = ["sysctl", "-w", "kernel.core_pattern=|/tmp/x"]
    step.save()
    lab.attend(run)
    assert run.state == State.RETURNED
    assert lab.writes() == []
    assert "not one of our commands" in str(run.account_sentences[1])


def test_a_slow_host_does_not_cost_the_lease(lab, monkeypatch):
    """The observation of a slow host takes longer than a lease may last."""
    lab.want()
    run = lab.plan()
    lab.confirm(run)
    renewed = []
    renew = Attendance.renew
    monkeypatch.setattr(
        Attendance, "renew", lambda self, *more: renewed.append(1) or renew(self, *more)
    )
    monkeypatch.setattr("cluster.control.observe.PATIENCE", 0.01)
    monkeypatch.setattr(lab.models["web1"], "_cat", slowly(lab.models["web1"]._cat))
    lab.attend(run)
    assert run.state == State.CONVERGED
    assert len(renewed) > run.steps.count() + 10


def slowly(answer):
    def late(*args):
        time.sleep(0.2)
        return answer(*args)

    return late


def test_a_lease_lasts_until_the_deadline_of_a_long_command(lab):
    """Nobody may take a command for lost while the host may still work on it."""
    lab.want()
    run, owner = lab.plan(), uuid.uuid4()
    lab.confirm(run)
    assert Run.objects.claim(run.pk, owner)
    assert Run.objects.renew(run.pk, owner, deadline=65.0)
    run.refresh_from_db()
    left = run.lease_until - timezone.now()
    assert timedelta(seconds=70) < left <= timedelta(seconds=75)
