"""The confirm window: how long it is, and "keep" on the page of a run."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.models import AuditEvent, Host, Run

WINDOW = reverse("cluster:confirm_window", args=["lab"])
SETTINGS = reverse("cluster:settings", args=["lab"])
State = Run.State


@pytest.fixture
def run(lab, li):
    lab.add_service()
    return Run.objects.create(
        cluster=lab.cluster,
        state=State.CONFIRMING,
        wish=lab.cluster.wish().as_json(),
        requested_by=li,
        confirmed_by=li,
        keep_seconds=120,
        keep_until=timezone.now() + timedelta(seconds=90),
        pause_until=timezone.now() + timedelta(seconds=95),
    )


def page(client, run, name="run"):
    answer = client.get(reverse(f"cluster:{name}", args=[run.pk]))
    return answer.content.decode()


def keep(client, run):
    return client.post(reverse("cluster:run_keep", args=[run.pk]))


def test_a_run_that_waits_shows_the_time_and_the_button(run, operator):
    text = page(operator, run)
    assert "Applied. Keep it?" in text
    assert 'role="timer"' in text
    assert "CONFIRMING" in text
    assert reverse("cluster:run_keep", args=[run.pk]) in text
    assert "1 min" in page(operator, run, "run_fragment") or "90 s" in text


def test_keep_is_written_down_and_rings_for_a_worker(run, operator, li, queued):
    with queued() as rung:
        answer = keep(operator, run)
    assert answer.url == reverse("cluster:run", args=[run.pk])
    assert rung == [("apply_run", (run.pk,))]
    run.refresh_from_db()
    assert (run.kept_by, run.pause_until) == (li, None)
    assert run.kept_at is not None
    assert run in Run.objects.unattended()
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.actor) == ("confirmed", "li.wei")
    text = page(operator, run)
    assert "li.wei said keep" in text
    assert reverse("cluster:run_keep", args=[run.pk]) not in text


@pytest.mark.parametrize(
    "changed",
    [
        {"keep_until": timezone.now() - timedelta(seconds=1)},
        {"state": State.RETURNING},
        {"state": State.RUNNING},
        {"kept_at": timezone.now()},
    ],
    ids=["too late", "it returns", "too early", "said already"],
)
def test_keep_counts_only_while_the_run_waits(run, operator, queued, changed):
    Run.objects.filter(pk=run.pk).update(**changed)
    before = Run.objects.values().get(pk=run.pk)
    with queued() as rung:
        answer = operator.post(
            reverse("cluster:run_keep", args=[run.pk]), follow=True
        ).content.decode()
    assert "nothing to keep now" in answer
    assert rung == []
    assert Run.objects.values().get(pk=run.pk) == before


def test_a_viewer_sees_it_and_cannot_keep_it(run, viewer):
    assert "An operator can keep it." in page(viewer, run)
    assert keep(viewer, run).status_code == 403
    run.refresh_from_db()
    assert run.kept_at is None


def test_when_the_time_is_over_the_page_says_so(run, operator):
    Run.objects.filter(pk=run.pk).update(keep_until=timezone.now())
    assert "The time is over." in page(operator, run)


def test_a_waiting_run_is_nobodys_work_until_its_time(run):
    assert run not in Run.objects.unattended()
    # A database counts in milliseconds: what is over now is over in the next one.
    ago = timezone.now() - timedelta(seconds=1)
    Run.objects.filter(pk=run.pk).update(pause_until=ago)
    assert run in Run.objects.unattended()
    assert run in run.cluster.runs.in_progress()


# -- the setting ----------------------------------------------------------------------


def test_the_window_is_set_on_the_page_of_settings(lab, operator):
    assert "Confirm window" in operator.get(SETTINGS).content.decode()
    answer = operator.post(WINDOW, {"confirm_seconds": "120"})
    assert answer.url == SETTINGS
    lab.cluster.refresh_from_db()
    assert lab.cluster.confirm_seconds == 120
    assert not lab.cluster.keep_by_probe
    assert "120 s" in str(AuditEvent.objects.latest("seq").text)


@pytest.mark.parametrize(
    ("typed", "said"),
    [("5", "Either 0, or between 60 and 3600"), ("9999", "Either 0"), ("x", "number")],
)
def test_what_cannot_work_is_refused_beside_the_field(lab, operator, typed, said):
    answer = operator.post(WINDOW, {"confirm_seconds": typed})
    assert answer.status_code == 422
    text = answer.content.decode()
    assert said in text
    assert f'value="{typed}"' in text, "nothing typed is lost"
    lab.cluster.refresh_from_db()
    assert lab.cluster.confirm_seconds == 0


def test_the_probe_host_can_keep_only_if_there_is_one(lab, operator):
    data = {"confirm_seconds": "120", "keep_by_probe": "on"}
    answer = operator.post(WINDOW, data)
    assert "no client (probe) host" in answer.content.decode()
    lab.add_host("client", Host.Role.PROBE, "10.0.1.100", lab.hosts["lb01"].state)
    assert operator.post(WINDOW, data).status_code == 302
    lab.cluster.refresh_from_db()
    assert lab.cluster.keep_by_probe


def test_a_viewer_may_not_set_it(lab, viewer):
    assert viewer.post(WINDOW, {"confirm_seconds": "120"}).status_code == 403
