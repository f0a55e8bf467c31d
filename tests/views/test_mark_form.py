"""The form of a service under a firewall mark: both choices, nothing typed is lost."""

import pytest
from django.urls import reverse

from cluster.lvs.marks import MarkRule
from cluster.lvs.packets import read_packets
from cluster.models import VirtualService
from tests.build import director
from tests.views.service_form import (
    CHECK,
    NEW,
    ROWS,
    SERVICES,
    TWO,
    State,
    answered,
    errors,
    free,
    typed,
)

__all__ = ["free"]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("cluster.views.addresses.WAIT_SECONDS", 0.05)
    monkeypatch.setattr("cluster.views.addresses.LOOK_SECONDS", 0.01)


def marked(lab, *servers, **fields):
    asked = {"kind": "mark", "mark": "7", "packets": "10.0.1.31 tcp 80,443"}
    return typed(lab, *servers, address="", port="", **(asked | fields))


def test_a_new_form_offers_the_lowest_free_mark(operator, lab):
    page = operator.get(NEW)
    assert page.context["form"]["mark"].value() == 1
    assert page.context["form"]["kind"].value() == "port"
    text = page.content.decode()
    assert "several ports or VIPs, as one service (firewall mark)" in text
    assert "stays on the same real server" in text


def test_a_service_under_a_mark_is_saved_and_shown_again(operator, lab, free):
    answered(lab, State.FREE, "10.0.1.32")
    lines = "10.0.1.31 tcp 80, 443\n10.0.1.32 tcp 443 80"
    data = marked(lab, *TWO, packets=lines, persistent="on")
    assert operator.post(NEW, data).url == SERVICES
    row = VirtualService.objects.get()
    assert str(row) == "FWM 7 · 10.0.1.31 tcp 80,443 · 10.0.1.32 tcp 80,443"
    assert [server.port for server in row.servers.all()] == [0, 0]
    assert [vip.address for vip in lab.cluster.vips.all()] == row.vips
    page = operator.get(reverse("cluster:service", args=["lab", row.pk]))
    form = page.context["form"]
    assert form["kind"].value() == "mark"
    assert form["packets"].value() == "10.0.1.31 tcp 80,443\n10.0.1.32 tcp 80,443"
    assert page.context["servers"].forms[0]["port"].value() == ""
    services = operator.get(SERVICES).content.decode()
    assert "7 · 10.0.1.31 tcp 80,443 · 10.0.1.32 tcp 80,443" in services
    again = reverse("cluster:service", args=["lab", row.pk])
    assert operator.post(again, data | {"mark": "8"}).url == SERVICES
    row.refresh_from_db()
    assert row.mark == 8


@pytest.mark.parametrize(
    ("fields", "name", "part"),
    [
        ({"mark": ""}, "mark", "Write a number from 1 to 4294967295."),
        ({"mark": "0"}, "mark", "0 is out of range"),
        ({"mark": "4294967296"}, "mark", "out of range"),
        ({"packets": ""}, "packets", "Write a VIP, a protocol and ports"),
        ({"packets": "10.0.1.31 tcp 80\n10.0.1.31 tcp"}, "packets", "Line 2"),
        ({"packets": "10.0.1.6 tcp 80"}, "packets", "web1&#x27;s own address"),
        ({"mark": "9"}, "mark", "rule of the firewall on lb01"),
        ({"source_nat": "on"}, "source_nat", "does not go together"),
    ],
)
def test_what_cannot_work_stands_beside_its_field(
    operator, lab, free, fields, name, part
):
    (other,) = read_packets("10.0.1.99 udp 1")
    state = director()
    state = type(state)(**{f: getattr(state, f) for f in state.__slots__}
                        | {"marks": (MarkRule(9, other),)})  # fmt: skip
    lab.hosts["lb01"].facts = {"state": state.as_json()}
    lab.hosts["lb01"].save()
    page = operator.post(NEW, marked(lab, *TWO, **fields))
    assert page.status_code == 422
    assert part in page.content.decode()
    found, _rows = errors(page)
    assert name in found
    assert page.context["form"]["packets"].value() == marked(lab, **fields)["packets"]
    assert not VirtualService.objects.exists()


def test_a_vip_of_a_mark_that_somebody_has_is_refused(operator, lab, free):
    answered(lab, State.TAKEN, "10.0.1.32", holder="52:54:00:00:00:01")
    lines = "10.0.1.31 tcp 80\n10.0.1.32 tcp 80"
    page = operator.post(NEW, marked(lab, *TWO, packets=lines))
    assert page.status_code == 422
    assert "52:54:00:00:00:01 answers" in str(errors(page)[0]["packets"])


def test_the_other_choice_keeps_what_was_typed_and_is_not_read(operator, lab, free):
    data = typed(lab, *TWO, kind="port", mark="many", packets="nonsense")
    rows = operator.post(ROWS, data | {"add_server": "1"})
    assert rows.status_code == 200
    page = operator.post(NEW, data | {"address": "10.0.1"})
    assert list(errors(page)[0]) == ["address"]
    assert page.context["form"]["packets"].value() == "nonsense"
    assert operator.post(NEW, data).url == SERVICES
    row = VirtualService.objects.get()
    assert (row.mark, row.packets, row.port) == (0, [], 80)


def test_a_service_of_one_port_becomes_one_under_a_mark_and_back(operator, lab, free):
    service = lab.add_service()
    url = reverse("cluster:service", args=["lab", service.pk])
    page = operator.get(url)
    assert page.context["form"]["packets"].value() == "10.0.1.31 tcp 80"
    assert operator.post(url, marked(lab, *TWO)).url == SERVICES
    service.refresh_from_db()
    assert (service.address, service.port, service.mark) == (None, 0, 7)
    assert [server.port for server in service.servers.all()] == [0, 0]
    assert operator.post(url, typed(lab, *TWO)).url == SERVICES
    service.refresh_from_db()
    assert (service.address, service.mark, service.packets) == ("10.0.1.31", 0, [])
    assert [server.port for server in service.servers.all()] == [80, 80]


def test_notes_while_typing_name_the_line(operator, lab):
    data = marked(lab, *TWO, packets="10.0.1.31 tcp 80\n10.0.1.31 xyz 80")
    text = operator.post(CHECK, data).content.decode()
    assert "Line 2: “xyz” is no protocol" in text


def test_a_copy_gets_a_mark_of_its_own_and_deleting_asks_for_the_vip(
    operator, lab, free
):
    operator.post(NEW, marked(lab, *TWO, mark="1"))
    row = VirtualService.objects.get()
    page = operator.get(f"{NEW}?copy={row.pk}")
    assert page.context["form"]["mark"].value() == 2
    assert page.context["form"]["kind"].value() == "mark"
    lab.keep_revision()
    delete = reverse("cluster:service_delete", args=["lab", row.pk])
    operator.post(delete, {"confirm": "1"})
    assert VirtualService.objects.exists()
    operator.post(delete, {"confirm": "10.0.1.31"})
    assert not VirtualService.objects.exists()
