"""The form of a virtual service: copies, switches, shares, tunnels, SIP, local addresses."""

import re

import pytest
from django.urls import reverse

from cluster.lvs import words
from cluster.lvs.table import Tunnel
from cluster.models import AuditEvent, VirtualService
from tests.views.service_form import (
    CHECK,
    NEW,
    SERVICES,
    TWO,
    _no_waiting,
    free,
    typed,
)

__all__ = ["_no_waiting", "free"]


def test_owner_and_notes_are_kept_and_told(lab, operator, free):
    people = {"owner": "shop team", "notes": "Ask before\r\na change."}
    operator.post(NEW, typed(lab, *TWO, **people))
    row = VirtualService.objects.get()
    assert (row.owner, row.notes) == ("shop team", "Ask before\na change.")
    page = operator.get(SERVICES).content.decode()
    assert "shop team" in page
    url = reverse("cluster:service", args=["lab", row.pk])
    operator.post(url, typed(lab, *TWO, **people))
    before = AuditEvent.objects.count()
    operator.post(url, typed(lab, *TWO, owner="ops", notes=people["notes"]))
    event = AuditEvent.objects.latest("seq")
    assert AuditEvent.objects.count() == before + 1
    assert "owner “shop team” → “ops”" in str(words.from_json(event.sentence))


def test_a_copy_is_filled_in_and_nothing_is_saved(lab, operator):
    row = lab.add_service(scheduler="wrr", persistence=60, owner="shop team")
    row.servers.filter(host=lab.hosts["web2"]).update(weight=7, enabled=False)
    page = operator.get(NEW, {"copy": row.pk})
    entry = page.context["entry"]
    assert entry.service is None
    assert entry.form["scheduler"].value() == "wrr"
    assert [r["weight"].value() for r in entry.servers.forms] == [1, 7]
    assert [r["off"].value() for r in entry.servers.forms] == [False, True]
    assert "This begins as a copy of" in page.content.decode()
    assert VirtualService.objects.count() == 1
    assert operator.get(NEW, {"copy": 10**6}).status_code == 404
    assert operator.get(NEW, {"copy": "x"}).status_code == 200


def test_a_real_server_is_switched_off_without_being_deleted(lab, operator, free):
    data = typed(lab, *TWO) | {"servers-1-off": "on"}
    operator.post(NEW, data)
    row = VirtualService.objects.get()
    assert {s.host.name: s.enabled for s in row.servers.all()} == {
        "web1": True,
        "web2": False,
    }
    assert [str(s.address) for s in row.as_value().servers] == ["10.0.1.6"]
    url = reverse("cluster:service", args=["lab", row.pk])
    operator.post(url, data)
    assert row.servers.get(host__name="web2").enabled is False, "as it was"
    operator.post(url, typed(lab, *TWO))
    assert row.servers.get(host__name="web2").enabled is True


def shown_shares(page):
    return re.findall(r"<b>([0-9.]+) %</b>", page.content.decode())


def test_the_share_of_each_real_server_stands_beside_it(lab, operator):
    row = lab.add_service(scheduler="wrr")
    row.servers.filter(host=lab.hosts["web1"]).update(weight=3)
    url = reverse("cluster:service", args=["lab", row.pk])
    assert shown_shares(operator.get(url)) == ["75.0", "25.0"]


SHARES = {
    "by weight": ({"scheduler": "wrr"}, ["33.3", "66.7"]),
    "in turn": ({"scheduler": "rr"}, ["50.0", "50.0"]),
    "by the table of sh": ({"scheduler": "sh"}, ["33.2", "66.8"]),
    "by the table of mh": ({"scheduler": "mh"}, ["33.3", "66.7"]),
    "no number": ({"scheduler": "fo"}, []),
    "one is off": ({"scheduler": "wrr", "servers-0-off": "on"}, ["100.0"]),
    "one by its address": (
        {
            "scheduler": "wrr",
            "servers-0-host": "other",
            "servers-0-address": "10.0.1.50",
        },
        ["33.3", "66.7"],
    ),
    "half typed": ({"scheduler": "wrr", "servers-0-weight": ""}, ["100.0"]),
}


@pytest.mark.parametrize("case", SHARES)
def test_shares_follow_what_is_typed(lab, operator, case):
    more, expected = SHARES[case]
    page = operator.post(CHECK, typed(lab, *TWO) | more)
    assert shown_shares(page) == expected
    assert "Shares:" in page.content.decode()


# -- tunnels, SIP, local addresses, machines that nobody manages ----------------------


def test_the_type_of_a_tunnel_is_saved_and_shown_again(operator, lab, free):
    gue = {
        "servers-0-method": "tun",
        "servers-0-tunnel_type": "gue",
        "servers-0-tunnel_port": "6080",
        "servers-0-tunnel_checksum": "remcsum",
    }
    operator.post(NEW, typed(lab, *TWO, **gue))
    saved = VirtualService.objects.get()
    first, second = saved.servers.all()
    assert first.tunnel == Tunnel("gue", 6080, "remcsum")
    assert second.tunnel is None
    page = operator.get(reverse("cluster:service", args=["lab", saved.pk]))
    text = page.content.decode()
    assert '<option value="gue" selected>' in text
    assert "gue, UDP port 6080, remote checksum adds 40 bytes to each packet" in text
    # What does not belong to the method or to the type counts for nothing.
    operator.post(page.wsgi_request.path, typed(lab, *TWO, **gue | {
        "servers-0-method": "dr"}))  # fmt: skip
    assert saved.servers.first().tunnel is None
    operator.post(page.wsgi_request.path, typed(lab, *TWO, **gue | {
        "servers-0-tunnel_type": "gre", "servers-0-tunnel_checksum": "csum"}))  # fmt: skip
    assert saved.servers.first().tunnel == Tunnel("gre", 0, "csum")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"tunnel_type": "gue"}, "tunnel_port", "GUE needs a UDP port"),
        (
            {"tunnel_type": "gue", "tunnel_port": "x"},
            "tunnel_port",
            "is no whole number",
        ),
        (
            {"tunnel_type": "gre", "tunnel_checksum": "remcsum"},
            "tunnel_checksum",
            "gre knows nocsum, csum only",
        ),
    ],
)
def test_a_tunnel_that_cannot_be_is_refused_at_its_field(
    operator, lab, fields, field, words
):
    rows = {f"servers-0-{key}": value for key, value in fields.items()}
    data = typed(lab, *TWO, **rows, **{"servers-0-method": "tun"})
    answer = operator.post(NEW, data)
    assert answer.status_code == 422
    assert words in str(answer.context["servers"].forms[0].errors[field])


def test_calls_of_sip_and_a_pool_of_local_addresses(operator, lab, free):
    operator.post(NEW, typed(lab, *TWO, protocol="udp", persistent="on", engine="on"))
    assert VirtualService.objects.get().engine == "sip"
    pooled = {"source_nat": "on", "local": "10.0.1.201-10.0.1.204", "port": "81"}
    by_nat = {f"servers-{n}-method": "nat" for n in (0, 1)}
    operator.post(NEW, typed(lab, *TWO, **pooled, **by_nat))
    saved = VirtualService.objects.get(port=81)
    assert saved.local_addresses == "10.0.1.201-10.0.1.204"
    page = operator.get(reverse("cluster:service", args=["lab", saved.pk]))
    assert b'value="10.0.1.201-10.0.1.204"' in page.content
    for wrong, told in (
        ({"engine": "on"}, "The engine for SIP reads UDP only"),
        ({"local": "10.0.1.201"}, "switch FULLNAT on"),
    ):
        answer = operator.post(NEW, typed(lab, *TWO, port="82", **wrong))
        assert answer.status_code == 422
        assert told in answer.content.decode()


def test_a_machine_that_nobody_manages_is_chosen_by_its_address(operator, lab, free):
    rows = (("web1", "", "1"), ("other", "", "2"))
    address = {"servers-1-address": "10.0.1.50"}
    operator.post(NEW, typed(lab, *rows, **address))
    saved = VirtualService.objects.get()
    other = saved.servers.get(address="10.0.1.50")
    assert other.host is None
    assert other.weight == 2
    url = reverse("cluster:service", args=["lab", saved.pk])
    page = operator.get(url).content.decode()
    assert '<option value="other" selected>' in page
    assert 'value="10.0.1.50"' in page
    # Saved as it is shown, it stays; by the address of a host it is that host.
    operator.post(url, typed(lab, *rows, **address))
    assert saved.servers.filter(host=None).count() == 1
    operator.post(url, typed(lab, *rows, **{"servers-1-address": "10.0.1.9"}))
    assert not saved.servers.filter(host=None).exists()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "Write the address of the machine."),
        ("10.0.2.50", "direct routing rewrites only the MAC address"),
        ("10.0.1.31", "is the VIP itself"),
        ("web9", "is no IP address"),
    ],
)
def test_an_address_that_cannot_be_is_refused_at_its_field(
    operator, lab, address, words
):
    data = typed(lab, ("other", "", "1"), **{"servers-0-address": address})
    answer = operator.post(NEW, data)
    assert answer.status_code == 422
    assert words in str(answer.context["servers"].forms[0].errors["address"])


def test_its_page_says_what_is_to_be_done_there_by_hand(operator, lab, free):
    rows = (("web1", "", "1"), ("other", "", "2"))
    operator.post(NEW, typed(lab, *rows, **{"servers-1-address": "10.0.1.50"}))
    page = operator.get(reverse("cluster:server", args=["lab", "10.0.1.50"]))
    text = page.content.decode()
    assert "To do by hand" in text
    assert "ExecStart=ip addr add 10.0.1.31/32 dev lo label lo:1" in text
    assert "netsh interface ipv4 add address" in text
    assert "ifconfig lo0 inet 10.0.1.31 netmask 255.255.255.255 alias" in text
    managed = operator.get(reverse("cluster:server", args=["lab", "10.0.1.6"]))
    assert "To do by hand" not in managed.content.decode()
