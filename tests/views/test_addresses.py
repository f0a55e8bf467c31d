"""The question to the LAN, as a form sees it: asked once, polled, answered."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.lvs.words import say
from cluster.models import AddressCheck
from cluster.views import addresses

ASK = reverse("cluster:address_check", args=["lab"])
State = AddressCheck.State


def answer_url(check, slug="lab"):
    return reverse("cluster:address_answer", args=[slug, check.pk])


def test_asking_queues_one_question(operator, lab, li, queued):
    with queued() as rung:
        page = operator.post(ASK, {"address": "10.0.1.31"})
    check = AddressCheck.objects.get()
    assert rung == [("check_address", (str(check.pk),))]
    assert (check.asked_by, check.cluster) == (li, lab.cluster)
    assert "asking the LAN from lb01" in page.content.decode()
    assert answer_url(check) in page.content.decode()


def test_the_same_question_is_not_asked_twice(operator, lab, queued):
    with queued() as rung:
        operator.post(ASK, {"address": "10.0.1.31"})
        operator.post(ASK, {"address": "10.0.1.31"})
    assert len(rung) == 1


def test_a_person_has_at_most_two_questions_open(operator, lab, queued):
    with queued() as rung:
        for last in (31, 32, 33):
            page = operator.post(ASK, {"address": f"10.0.1.{last}"})
    assert len(rung) == 2
    assert "load delay:1s" in page.content.decode()


def test_a_lost_question_does_not_block_for_ever(operator, lab, li, queued):
    for last in (31, 32):
        check = AddressCheck.objects.create(
            cluster=lab.cluster, address=f"10.0.1.{last}", asked_by=li
        )
        AddressCheck.objects.filter(pk=check.pk).update(
            asked_at=timezone.now() - addresses.LOST
        )
    with queued() as rung:
        operator.post(ASK, {"address": "10.0.1.31"})
    assert len(rung) == 1


ANSWERS = [
    (State.FREE, {}, "nobody on the LAN answers"),
    (
        State.TAKEN,
        {"holder": "52:54:00:00:00:09"},
        "10.0.1.31 is in use on the LAN: 52:54:00:00:00:09 answers.",
    ),
    (State.TAKEN, {}, "10.0.1.31 is in use on the LAN. Choose"),
    (
        State.FAILED,
        {"trouble": say("lb01 does not answer").as_json()},
        "(lb01 does not answer); it is asked again before anything is bound",
    ),
]


@pytest.mark.parametrize(("state", "fields", "words"), ANSWERS)
def test_an_answer_ends_the_asking(viewer, operator, lab, state, fields, words):
    check = AddressCheck.objects.create(
        cluster=lab.cluster, address="10.0.1.31", state=state, **fields
    )
    page = operator.get(answer_url(check)).content.decode()
    assert words in " ".join(page.split())
    assert "hx-get" not in page
    assert "hx-post" not in page
    assert viewer.get(answer_url(check)).status_code == 403


def test_without_a_worker_the_asking_ends_by_itself(operator, lab):
    check = AddressCheck.objects.create(cluster=lab.cluster, address="10.0.1.31")
    assert "hx-get" in operator.get(answer_url(check)).content.decode()
    late = timezone.now() - addresses.LOST - timedelta(seconds=1)
    AddressCheck.objects.filter(pk=check.pk).update(asked_at=late)
    page = operator.get(answer_url(check)).content.decode()
    assert "no worker has answered" in page
    assert "hx-get" not in page


def test_wrong_methods_people_and_addresses(operator, viewer, lab):
    check = AddressCheck.objects.create(cluster=lab.cluster, address="10.0.1.31")
    assert operator.get(ASK).status_code == 405
    assert operator.post(answer_url(check)).status_code == 405
    assert viewer.post(ASK, {"address": "10.0.1.31"}).status_code == 403
    assert operator.post(ASK, {"address": "nonsense"}).status_code == 404
    assert operator.get(answer_url(check, "other")).status_code == 404


def test_settled_sees_an_answer_that_comes_while_it_waits(lab, li, monkeypatch):
    check = AddressCheck.objects.create(cluster=lab.cluster, address="10.0.1.31")

    def answer_meanwhile(_seconds):
        AddressCheck.objects.filter(pk=check.pk).update(state=State.TAKEN)

    monkeypatch.setattr(addresses.time, "sleep", answer_meanwhile)
    found = addresses.settled(lab.cluster, "10.0.1.31", li)
    assert found is not None
    assert found.state == State.TAKEN
