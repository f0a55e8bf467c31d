"""The page that takes over what somebody built by hand."""

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.lvs.terms import Scheduler
from cluster.models import AuditEvent, Host, Run
from tests.build import at, bound, director, eth_vip, server, service

ADOPTION = reverse("cluster:adoption", args=["lab"])


@pytest.fixture
def by_hand(lab):
    found = [
        service(scheduler=Scheduler.WLC, servers=[server(), server("10.0.1.77")]),
        service("10.0.1.32", 443),
    ]
    vips = (eth_vip(), bound("10.0.1.32/32"))
    lab.observe("lb01", director(*vips, services=found))
    return lab


def test_what_was_found_is_told_line_by_line(operator, by_hand):
    html = operator.get(ADOPTION).content.decode()
    assert html.count('name="at"') == 2
    assert html.count("checked") == 2
    assert "10.0.1.31/24 dev eth0 eth0:1" in html
    assert "No hosts of this cluster: 10.0.1.77." in html
    assert "10.0.1.32/32 dev eth0 has no label such as eth0:1." in html


def test_only_what_was_asked_for_is_chosen(operator, by_hand):
    html = operator.get(ADOPTION, {"at": str(at())}).content.decode()
    assert html.count("checked") == 1


def test_what_is_chosen_becomes_the_wish_and_is_reviewed(operator, by_hand, queued):
    with queued() as rung:
        answer = operator.post(ADOPTION, {"at": [str(at()), "TCP 10.9.9.9:1"]})
    run = Run.objects.get()
    assert answer.url == reverse("cluster:run", args=[run.pk])
    assert rung == [("plan_run", (run.pk,))]
    assert run.adopts == ["TCP 10.0.1.31:80"]
    assert [str(s.at) for s in by_hand.cluster.wish().table.services] == run.adopts
    assert (
        "Adopt from lb01: TCP 10.0.1.31:80"
        in AuditEvent.objects.get(action="changed").text
    )
    Run.objects.update(state="planned", planned_at=timezone.now())
    page = operator.get(answer.url).content.decode()
    assert "1 service that was made by hand is ours afterwards." in page


def test_nothing_chosen_is_said(operator, by_hand):
    page = operator.post(ADOPTION, follow=True).content.decode()
    assert "Choose at least one service." in page
    assert not by_hand.cluster.services.exists()


def test_while_a_run_is_in_progress_nothing_is_written(operator, by_hand):
    busy = Run.objects.create(cluster=by_hand.cluster, state="running")
    answer = operator.post(ADOPTION, {"at": str(at())})
    assert answer.url == reverse("cluster:run", args=[busy.pk])
    assert not by_hand.cluster.services.exists()
    assert not AuditEvent.objects.filter(action="changed").exists()


def test_nothing_to_adopt_and_no_director(operator, lab):
    assert "Nothing to adopt" in operator.get(ADOPTION).content.decode()
    lab.cluster.director = None
    lab.cluster.save()
    assert "Nothing to adopt" in operator.get(ADOPTION).content.decode()
    assert operator.post(ADOPTION, {"at": "x"}).status_code == 200


def test_another_director_is_named(operator, by_hand):
    state = director(services=[service("10.0.1.40")])
    by_hand.add_host("lb02", Host.Role.DIRECTOR, "10.0.1.5", state)
    assert "lb02 has services that were made by hand too." in (
        operator.get(ADOPTION).content.decode()
    )


def test_viewers_may_not(viewer, by_hand):
    assert viewer.get(ADOPTION).status_code == 403
    assert viewer.post(ADOPTION, {"at": str(at())}).status_code == 403
