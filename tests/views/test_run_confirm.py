"""A run is confirmed once, or cancelled; its log."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.lvs.safety import cut_off, cut_off_unknown
from cluster.lvs.words import say
from cluster.models import AuditEvent
from tests.views.runs import State, make_run, page_of, run, shown

__all__ = ["make_run", "run"]


def confirm(client, run, **data):
    data.setdefault("plan_hash", run.plan_hash)
    return client.post(page_of(run, "run_confirm"), data)


def test_confirming_queues_exactly_this_plan(operator, li, run, queued):
    with queued() as rung:
        assert confirm(operator, run).url == page_of(run)
    run.refresh_from_db()
    assert (run.state, run.confirmed_by) == (State.QUEUED, li)
    assert run.confirmed_at is not None
    assert rung == [("apply_run", (run.pk,))]
    assert [e.action for e in AuditEvent.objects.all()] == ["confirmed"]


def test_confirming_twice_queues_once(operator, run, queued):
    with queued() as rung:
        confirm(operator, run)
        confirm(operator, run)
    assert len(rung) == 1
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("plan_hash", ["", "0" * 64])
def test_another_plan_than_the_one_seen_is_not_applied(
    operator, run, queued, plan_hash
):
    with queued() as rung:
        confirm(operator, run, plan_hash=plan_hash)
    run.refresh_from_db()
    assert (run.state, rung) == (State.PLANNED, [])


@pytest.mark.parametrize("typed", ["", "LAB", "10.0.1.31"])
def test_a_plan_with_cautions_needs_the_typed_name(operator, run, queued, typed):
    run.cautions = [say("This deletes {n} services.", n=3).as_json()]
    run.save()
    with queued() as rung:
        answer = confirm(operator, run, confirm=typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Type lab to go on. Nothing was sent." in page
    assert "This deletes 3 services." in page
    run.refresh_from_db()
    assert (run.state, rung) == (State.PLANNED, [])


def test_a_plan_with_cautions_goes_on_with_the_name(operator, run, queued):
    run.cautions = [say("This deletes {n} services.", n=3).as_json()]
    run.save()
    with queued() as rung:
        confirm(operator, run, confirm=" lab ")
    assert rung == [("apply_run", (run.pk,))]


@pytest.mark.parametrize("reason", [cut_off, cut_off_unknown])
def test_who_would_cut_connections_off_is_led_to_a_drain(operator, lab, run, reason):
    at, count = "TCP 10.0.1.31:80", (7,) if reason is cut_off else ()
    run.cautions = [reason(at, "10.0.1.6:80", *count).as_json()]
    run.save()
    place = reverse("cluster:server", args=["lab", "10.0.1.6"])
    link = f'href="{place}?service=TCP+10.0.1.31%3A80"'
    assert link in shown(operator, run)
    run.state = State.CANCELLED
    run.save()
    assert link not in shown(operator, run)


def test_two_runs_at_a_time_are_refused_by_the_database(
    operator, make_run, run, queued
):
    make_run(State.RUNNING)
    with queued() as rung:
        answer = operator.post(
            page_of(run, "run_confirm"), {"plan_hash": run.plan_hash}, follow=True
        )
    assert "Another run of this cluster is in progress" in answer.content.decode()
    run.refresh_from_db()
    assert (run.state, rung) == (State.PLANNED, [])
    assert not AuditEvent.objects.exists()


def test_confirm_rejects_get_viewers_and_unknown_runs(operator, viewer, run):
    assert operator.get(page_of(run, "run_confirm")).status_code == 405
    assert confirm(viewer, run).status_code == 403
    unknown = reverse("cluster:run_confirm", args=[999])
    assert operator.post(unknown).status_code == 404
    run.refresh_from_db()
    assert run.state == State.PLANNED


# -- cancel --


@pytest.mark.parametrize("state", ["planning", "planned", "queued"])
def test_cancel_before_a_worker_has_it(operator, make_run, state):
    run = make_run(state)
    operator.post(page_of(run, "run_cancel"))
    run.refresh_from_db()
    assert run.state == State.CANCELLED
    assert str(run.account_sentences[0]) == "li.wei cancelled it. Nothing was sent."
    assert AuditEvent.objects.get().action == "ended"


@pytest.mark.parametrize("state", ["queued", "running", "verifying", "converged"])
def test_cancel_comes_too_late(operator, make_run, state):
    lease = timezone.now() + timedelta(seconds=60)
    run = make_run(state, lease_until=lease)
    answer = operator.post(page_of(run, "run_cancel"), follow=True)
    assert "too late to cancel" in answer.content.decode()
    run.refresh_from_db()
    assert run.state == state
    assert not AuditEvent.objects.exists()


def test_cancel_rejects_get_and_viewers(operator, viewer, run):
    assert operator.get(page_of(run, "run_cancel")).status_code == 405
    assert viewer.post(page_of(run, "run_cancel")).status_code == 403
    run.refresh_from_db()
    assert run.state == State.PLANNED


# -- log --


def test_the_log_is_plain_text_with_everything_sent(viewer, run):
    run.steps.filter(position=1).update(state="done", exit_status=0, output="free\n")
    answer = viewer.get(page_of(run, "run_output"))
    assert answer["Content-Type"].startswith("text/plain")
    assert "attachment" in answer["Content-Disposition"]
    text = answer.content.decode()
    assert "$ sudo -n arping -D -c 2 -w 3 -I eth0 10.0.1.31" in text
    assert "-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1" in text
    assert "state: done, exit status: 0" in text
    assert "\nfree\n" in text
