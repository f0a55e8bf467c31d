"""The form of a virtual service while somebody types: rows and notes."""

import pytest
from django.urls import reverse

from cluster.models import VirtualService
from tests.views.service_form import CHECK, NEW, ROWS, TWO, _no_waiting, typed

__all__ = ["_no_waiting"]


@pytest.mark.parametrize("url", [NEW, ROWS])
def test_a_row_more_loses_nothing(operator, lab, url):
    data = typed(lab, ("web1", "80", "7"), address="10.0.", add_server="1")
    answer = operator.post(url, data, headers={"HX-Request": str(url == ROWS).lower()})
    rows = answer.context["servers"].forms
    assert answer.status_code == 200
    assert [row["weight"].value() for row in rows] == ["7", "1"]
    assert rows[0]["host"].value() == str(lab.hosts["web1"].pk)
    assert not VirtualService.objects.exists()


def test_a_row_less_keeps_the_others_in_order(operator, lab):
    data = typed(
        lab, ("web1", "", "1"), ("web2", "", "2"), ("web1", "", "3"), remove_server="1"
    )
    answer = operator.post(ROWS, data)
    rows = answer.context["servers"].forms
    assert [row["weight"].value() for row in rows] == ["1", "3"]


@pytest.mark.parametrize("number", ["9", "-1", "x", ""])
def test_a_row_that_is_not_there_cannot_be_removed(operator, lab, number):
    data = typed(lab, ("web1", "", "1"), remove_server=number)
    rows = operator.post(ROWS, data).context["servers"].forms
    assert len(rows) == 1


def test_the_rows_fragment_is_no_page(operator, viewer, lab):
    answer = operator.post(ROWS, typed(lab, add_server="1"))
    assert b"<html" not in answer.content
    assert operator.get(ROWS).status_code == 405
    assert viewer.post(ROWS, typed(lab)).status_code == 403


def test_notes_come_for_what_is_typed_and_not_for_what_is_empty(operator, lab):
    data = typed(lab, ("web1", "8080", ""), address="10.0.1.999", port="")
    answer = operator.post(CHECK, data, headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "999 is larger than 255" in page
    assert "Write a number" not in page
    assert "<input" not in page
    assert page.count('hx-swap-oob="true"') > 5


def test_notes_know_the_service_that_is_edited(operator, lab):
    row = lab.add_service()
    page = operator.post(CHECK, typed(lab, *TWO, service=str(row.pk)))
    assert "exists in this cluster" not in page.content.decode()
    page = operator.post(CHECK, typed(lab, *TWO))
    assert "exists in this cluster" in page.content.decode()


def test_notes_ask_the_lan_about_a_good_vip_only(operator, lab):
    asks = reverse("cluster:address_check", args=["lab"])
    assert asks in operator.post(CHECK, typed(lab)).content.decode()
    bad = operator.post(CHECK, typed(lab, address="10.0.1.6"))
    assert asks not in bad.content.decode()


def test_notes_bring_the_help_of_the_chosen_scheduler(operator, lab):
    page = operator.post(CHECK, typed(lab, scheduler="fo")).content.decode()
    assert "highest weight" in page


def test_notes_reject_get_and_viewers(operator, viewer, lab):
    assert operator.get(CHECK).status_code == 405
    assert viewer.post(CHECK, typed(lab)).status_code == 403


# -- for people, copies, what is switched off, shares --
