"""Review: a run is made, once, and its planning is queued."""

import pytest
from django.urls import reverse
from kombu.exceptions import OperationalError

from cluster import tasks
from cluster.models import AuditEvent, Run
from tests.views.runs import REVIEW, State, make_run, page_of, run

__all__ = ["make_run", "run"]


def test_review_makes_a_run_and_queues_its_planning(operator, lab, li, queued):
    lab.add_service()
    with queued() as rung:
        answer = operator.post(REVIEW)
    run = Run.objects.get()
    assert answer.url == page_of(run)
    assert rung == [("plan_run", (run.pk,))]
    assert (run.state, run.requested_by) == (State.PLANNING, li)
    assert run.wish == lab.cluster.wish().as_json()
    assert AuditEvent.objects.get().run == run.pk


def test_review_twice_leads_to_the_same_planning(operator, lab, queued):
    with queued() as rung:
        first, second = operator.post(REVIEW), operator.post(REVIEW)
    assert first.url == second.url
    assert len(rung) == 1


def test_review_of_a_newer_wish_is_a_new_run(operator, lab, queued):
    with queued():
        first = operator.post(REVIEW)
        lab.add_service()
        second = operator.post(REVIEW)
    assert first.url != second.url


def test_review_takes_the_place_of_an_older_plan(operator, run, queued):
    with queued():
        operator.post(REVIEW)
    run.refresh_from_db()
    newer = Run.objects.first()
    assert run.state == State.STALE
    assert str(run.account_sentences[0]) == f"Plan #{newer.pk} has taken its place."


@pytest.mark.parametrize("state", ["queued", "running", "verifying", "returning"])
def test_review_leads_to_a_run_in_progress(operator, make_run, queued, state):
    busy = make_run(state)
    with queued() as rung:
        answer = operator.post(REVIEW)
    assert answer.url == page_of(busy)
    assert (rung, Run.objects.count()) == ([], 1)


def test_without_a_broker_the_run_waits_for_the_next_tick(
    operator, lab, monkeypatch, django_capture_on_commit_callbacks
):
    def no_broker(*_arguments):
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks.plan_run, "delay", no_broker)
    with django_capture_on_commit_callbacks(execute=True):
        answer = operator.post(REVIEW)
    run = Run.objects.get()
    assert answer.url == page_of(run)
    assert Run.objects.unattended().get() == run


def test_review_rejects_get_viewers_and_strangers(operator, viewer, lab):
    assert operator.get(REVIEW).status_code == 405
    assert viewer.post(REVIEW).status_code == 403
    assert operator.post(reverse("cluster:review", args=["no"])).status_code == 404
    assert not Run.objects.exists()


# -- the page in every state --
