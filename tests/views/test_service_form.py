"""The form of a virtual service: saved whole, or refused beside its fields."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.forms.service_fields import OTHER
from cluster.lvs import rules, words
from cluster.lvs.host import Footprint
from cluster.lvs.settings import Settings, SyncDaemon, SyncRole
from cluster.lvs.table import Table, Tunnel
from cluster.models import AddressCheck, AuditEvent, Run, VirtualService
from cluster.views import addresses
from tests.build import director, eth_vip, service

NEW = reverse("cluster:service_new", args=["lab"])
ROWS = reverse("cluster:service_row", args=["lab"])
CHECK = reverse("cluster:service_check", args=["lab"])
SERVICES = reverse("cluster:services", args=["lab"])
State = AddressCheck.State


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """No worker answers in these tests, so nobody waits for one."""
    monkeypatch.setattr(addresses, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(addresses, "LOOK_SECONDS", 0.01)


def typed(lab, *servers, **fields):
    """Return what a browser posts; a server is (name, port, weight)."""
    data = {
        "protocol": "tcp",
        "address": "10.0.1.31",
        "port": "80",
        "name": "",
        "scheduler": "rr",
        "persistence": "300",
        "enabled": "on",
        "next": "save",
        "servers-TOTAL_FORMS": str(len(servers)),
        "servers-INITIAL_FORMS": "0",
    }
    for row, (name, port, weight) in enumerate(servers):
        host = lab.hosts[name].pk if name in lab.hosts else name
        data[f"servers-{row}-host"] = str(host)
        data[f"servers-{row}-port"] = port
        data[f"servers-{row}-weight"] = weight
    return data | fields


TWO = (("web1", "", "1"), ("web2", "", "2"))


def answered(lab, state, vip="10.0.1.31", **fields):
    return AddressCheck.objects.create(
        cluster=lab.cluster,
        address=vip,
        state=state,
        answered_at=timezone.now(),
        **fields,
    )


@pytest.fixture
def free(lab):
    return answered(lab, State.FREE)


def errors(response):
    entry = response.context["entry"]
    rows = [form.errors for form in entry.servers.forms]
    return dict(entry.form.errors), rows


# -- saving --


def test_a_new_form_proposes_wlc_port_80_and_two_rows(operator, lab):
    page = operator.get(NEW)
    assert page.context["form"]["scheduler"].value() == "wlc"
    assert page.context["form"]["port"].value() == "80"
    assert len(page.context["servers"].forms) == 2
    assert "fewest connections for its weight" in page.content.decode()


def test_saving_writes_the_wish_and_the_audit_log(operator, lab, free):
    data = typed(lab, *TWO, persistent="on", persistence="600", name="shop")
    assert operator.post(NEW, data).url == SERVICES
    row = VirtualService.objects.get()
    assert row.as_value().persistence == 600
    assert [(s.host.name, s.port, s.weight) for s in row.servers.all()] == [
        ("web1", 80, 1),
        ("web2", 80, 2),
    ]
    assert lab.cluster.vips.get().number == 1
    event = AuditEvent.objects.get()
    assert event.object == "TCP 10.0.1.31:80"
    assert "Add virtual service" in str(event.sentence)


def test_every_option_is_saved_and_shown_again(operator, lab, free):
    data = typed(
        lab,
        *TWO,
        protocol="udp",
        port="53",
        scheduler="sh",
        persistent="on",
        netmask="255.255.255.0",
        one_packet="on",
        hash_port="on",
        hash_fallback="on",
    )
    data |= {"servers-0-upper": "100", "servers-0-lower": "50"}
    assert operator.post(NEW, data).url == SERVICES
    row = VirtualService.objects.get()
    assert rules.render(Table((row.as_value(),))) == (
        "-A -u 10.0.1.31:53 -s sh -p 300 -M 255.255.255.0 -b sh-fallback,sh-port -o\n"
        "-a -u 10.0.1.31:53 -r 10.0.1.6:53 -g -w 1 -x 100 -y 50\n"
        "-a -u 10.0.1.31:53 -r 10.0.1.9:53 -g -w 2\n"
    )
    page = operator.get(reverse("cluster:service", args=["lab", row.pk]))
    form, rows = page.context["form"], page.context["servers"].forms
    assert form["netmask"].value() == 24
    assert form.shows_advanced
    assert [row.shows_advanced for row in rows] == [True, False]
    again = operator.post(
        reverse("cluster:service", args=["lab", row.pk]), data, follow=True
    )
    assert "Nothing was changed" in again.content.decode()


def test_each_real_server_has_its_own_method(operator, lab, free):
    data = typed(lab, ("web1", "8080", "1"), ("web2", "", "1"))
    data |= {"servers-0-method": "nat", "servers-1-method": "tun"}
    assert operator.post(NEW, data).url == SERVICES
    row = VirtualService.objects.get()
    assert [(s.port, s.method) for s in row.servers.all()] == [
        (8080, "nat"),
        (80, "tun"),
    ]
    shown = operator.get(reverse("cluster:service", args=["lab", row.pk])).context
    assert [
        (form["method"].value(), form["port"].value()) for form in shown["servers"]
    ] == [("nat", 8080), ("tun", "")]


def test_a_row_with_nothing_but_the_usual_method_is_no_server(operator, lab, free):
    data = typed(lab, ("web1", "", "1"), ("", "", "1")) | {"servers-1-method": "dr"}
    assert operator.post(NEW, data).url == SERVICES
    assert VirtualService.objects.get().servers.count() == 1


def test_nat_and_one_packet_scheduling_are_refused_at_the_method(operator, lab):
    data = typed(lab, ("web1", "", "1"), protocol="udp", one_packet="on")
    answer = operator.post(NEW, data | {"servers-0-method": "nat"})
    assert answer.status_code == 422
    assert list(errors(answer)[1][0]) == ["method"]


def test_fullnat_is_for_nat_and_says_what_is_lost(operator, lab, free):
    data = typed(lab, ("web1", "", "1"), ("web2", "", "1"), source_nat="on")
    data |= {"servers-0-method": "nat"}
    answer = operator.post(NEW, data)
    assert answer.status_code == 422
    assert [list(row) for row in errors(answer)[1]] == [[], ["method"]]
    assert "client&#x27;s address is lost" in answer.content.decode()
    assert operator.post(NEW, data | {"servers-1-method": "nat"}).url == SERVICES
    row = VirtualService.objects.get()
    assert row.as_value().source_nat
    assert "without the client's address (FULLNAT)" in AuditEvent.objects.get().text
    page = operator.get(reverse("cluster:service", args=["lab", row.pk]))
    assert page.context["form"].shows_advanced


def test_a_server_off_the_lan_is_fine_by_tunnel(operator, lab, free):
    far = lab.hosts["web2"]
    far.address = "10.9.0.5"
    far.save()
    data = typed(lab, ("web2", "", "1")) | {"servers-0-method": "tun"}
    assert operator.post(NEW, data).url == SERVICES
    refused = operator.post(NEW, typed(lab, ("web2", "", "1")))
    assert refused.status_code == 422


def test_a_new_form_hides_what_few_services_need(operator, lab):
    page = operator.get(NEW)
    assert not page.context["form"].shows_advanced
    assert not any(row.shows_advanced for row in page.context["servers"])


def test_tcp_udp_and_sctp_may_share_a_port(operator, lab, free):
    for protocol in ("tcp", "udp", "sctp"):
        operator.post(NEW, typed(lab, *TWO, protocol=protocol))
    assert {row.protocol for row in VirtualService.objects.all()} == {
        "tcp",
        "udp",
        "sctp",
    }


def test_save_and_review_plans_at_once(operator, lab, free, queued):
    with queued() as rung:
        answer = operator.post(NEW, typed(lab, *TWO, next="review"))
    run = Run.objects.get()
    assert answer.url == reverse("cluster:run", args=[run.pk])
    assert rung == [("plan_run", (run.pk,))]
    assert run.wish == lab.cluster.wish().as_json()


def test_without_persistence_the_seconds_do_not_count(operator, lab, free):
    operator.post(NEW, typed(lab, *TWO, persistence="300"))
    assert VirtualService.objects.get().persistence == 0


def test_editing_says_before_and_after(operator, lab, free):
    row = lab.add_service(name="shop")
    url = reverse("cluster:service", args=["lab", row.pk])
    kept = set(row.servers.values_list("pk", flat=True))
    data = typed(lab, ("web1", "", "1"), ("web2", "", "5"), scheduler="sh", name="web")
    assert operator.post(url, data).url == SERVICES
    assert set(row.servers.values_list("pk", flat=True)) == kept
    sentence = AuditEvent.objects.get().text
    assert "scheduler round robin → source hashing" in sentence
    assert "weight of web2 1 → 5" in sentence
    assert "name “shop” → “web”" in sentence


def test_moving_to_another_port_takes_the_servers_along(operator, lab, free):
    row = lab.add_service()
    url = reverse("cluster:service", args=["lab", row.pk])
    operator.post(url, typed(lab, ("web1", "", "1"), ("web2", "", "1"), port="443"))
    row.refresh_from_db()
    assert {s.port for s in row.servers.all()} == {443}
    text = AuditEvent.objects.get().text
    assert "moved to TCP 10.0.1.31:443" in text
    assert "take web1 out" not in text


def test_saving_the_same_again_changes_nothing(operator, lab, free):
    row = lab.add_service()
    url = reverse("cluster:service", args=["lab", row.pk])
    shown = operator.get(url).context["servers"]
    assert [form["port"].value() for form in shown.forms] == ["", ""]
    data = typed(lab, ("web1", "", "1"), ("web2", "", "1"))
    answer = operator.post(url, data, follow=True)
    assert "Nothing was changed" in answer.content.decode()
    assert not AuditEvent.objects.exists()


def test_a_service_without_servers_is_saved_with_a_warning(operator, lab, free):
    answer = operator.post(NEW, typed(lab), follow=True)
    assert "it will refuse every connection" in answer.content.decode()
    assert VirtualService.objects.get().servers.count() == 0


def test_a_row_that_nobody_filled_in_is_no_server(operator, lab, free):
    operator.post(NEW, typed(lab, ("web1", "", "1"), ("", "", "1")))
    assert VirtualService.objects.get().servers.count() == 1


# -- refusing --

NONSENSE = [
    ({"address": "10.0.1.031"}, "address", "without leading zeros"),
    ({"address": ""}, "address", "Write an address"),
    ({"address": "10.0.1.6"}, "address", "web1&#x27;s own address"),
    ({"address": "10.9.0.1"}, "address", "in no network of lb01: eth0 10.0.1.0/24"),
    ({"address": "１０.0.1.31"}, "address", "no IP address"),  # noqa: RUF001
    ({"port": "99999"}, "port", "out of range"),
    ({"port": "0"}, "port", "Switch persistence on, or write a port."),
    ({"port": ""}, "port", "Write a number from 0 to 65535"),
    ({"port": "http"}, "port", "no whole number"),
    ({"port": "-1"}, "port", "out of range"),
    ({"scheduler": "twos"}, "scheduler", "twos"),
    ({"protocol": "icmp"}, "protocol", "icmp"),
    ({"persistent": "on", "persistence": "0"}, "persistence", "out of range"),
    ({"persistent": "on", "persistence": ""}, "persistence", "Write the seconds"),
    ({"persistent": "on", "persistence": "2678401"}, "persistence", "out of range"),
    ({"netmask": "24"}, "netmask", "switch persistence on"),
    ({"persistent": "on", "netmask": "255.0.1.0"}, "netmask", "no netmask such as"),
    ({"one_packet": "on"}, "one_packet", "for UDP only"),
    ({"hash_port": "on"}, "hash_port", "Only sh and mh"),
    ({"hash_fallback": "on"}, "hash_fallback", "Only sh and mh"),
    ({"name": "x" * 65}, "name", "at most 64"),
    ({"name": "a\0b"}, "name", "Null"),
]


def test_all_ports_of_a_vip_with_persistence(operator, lab):
    fields = {"port": "0", "persistent": "on", "persistence": "60"}
    assert operator.post(NEW, typed(lab, *TWO, **fields)).status_code == 302
    service = VirtualService.objects.get()
    assert [server.port for server in service.servers.all()] == [0, 0]
    again = operator.get(reverse("cluster:service", args=["lab", service.pk]))
    assert 'name="port" value="0"' in again.content.decode()
    one_port = operator.post(NEW, typed(lab, ("web1", "80", "1"), **fields))
    assert list(errors(one_port)[1][0]) == ["port"]


def test_a_tunnel_to_the_other_family_is_refused_beside_a_sync_daemon(operator, lab):
    mixed = {
        "address": "fd00:10:0:1::31",
        "servers-0-host": OTHER,
        "servers-0-address": "10.0.1.6",
        "servers-0-method": "tun",
    }
    data = typed(lab, ("web1", "", "1")) | mixed
    lab.hosts["lb01"].facts = {}
    lab.hosts["lb01"].save()
    assert errors(operator.post(CHECK, data)) == ({}, [{}])
    daemon = SyncDaemon(SyncRole.BACKUP, "eth0", 7)
    lab.cluster.settings = Settings(daemons=(("lb01", daemon),)).as_json()
    lab.cluster.save()
    answer = operator.post(NEW, data)
    assert answer.status_code == 422
    assert list(errors(answer)[1][0]) == ["address"]
    assert "lb01 runs a sync daemon" in answer.content.decode()


@pytest.mark.parametrize(("fields", "field", "words"), NONSENSE)
def test_nonsense_is_refused_beside_its_field(operator, lab, fields, field, words):
    answer = operator.post(NEW, typed(lab, *TWO, **fields))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert list(errors(answer)[0]) == [field]
    assert words in page
    assert "data-error-summary" in page
    assert not VirtualService.objects.exists()
    assert not AuditEvent.objects.exists()


ROW_NONSENSE = [
    (("web1", "8080", "1"), "port", "cannot change the port"),
    (("web1", "x", "1"), "port", "no whole number"),
    (("web1", "", "65536"), "weight", "out of range"),
    (("web1", "", "-1"), "weight", "out of range"),
    (("web1", "", ""), "weight", "Write a number from 0 to 65535"),
    (("", "80", "1"), "host", "Choose a real server"),
    (("999", "", "1"), "host", "one of the real servers of this cluster"),
    (("lb01", "", "1"), "host", "one of the real servers of this cluster"),
]


@pytest.mark.parametrize(("server", "field", "words"), ROW_NONSENSE)
def test_nonsense_in_a_row(operator, lab, server, field, words):
    answer = operator.post(NEW, typed(lab, ("web2", "", "1"), server))
    assert answer.status_code == 422
    assert errors(answer)[1][0] == {}
    assert list(errors(answer)[1][1]) == [field]
    assert words in answer.content.decode()


@pytest.mark.parametrize(
    ("upper", "lower", "field"),
    [("", "5", "lower"), ("4", "5", "lower"), ("x", "", "upper")],
)
def test_nonsense_in_the_limits(operator, lab, upper, lower, field):
    data = typed(lab, ("web1", "", "1"))
    data |= {"servers-0-upper": upper, "servers-0-lower": lower}
    answer = operator.post(NEW, data)
    assert answer.status_code == 422
    assert list(errors(answer)[1][0]) == [field]
    assert answer.context["servers"].forms[0].shows_advanced


def test_a_real_server_off_the_lan_is_refused(operator, lab):
    far = lab.hosts["web2"]
    far.address = "10.9.0.5"
    far.save()
    answer = operator.post(NEW, typed(lab, ("web1", "", "1"), ("web2", "", "1")))
    assert answer.status_code == 422
    assert "10.9.0.5 is not in the LAN of lb01 (10.0.1.0/24)" in answer.content.decode()


def test_the_same_server_twice_is_refused(operator, lab):
    answer = operator.post(NEW, typed(lab, TWO[0], TWO[0]))
    assert list(errors(answer)[1][1]) == ["host"]


def test_a_refused_form_keeps_what_was_typed(operator, lab):
    data = typed(lab, ("web1", "8080", "7"), address="nonsense", name="shop")
    page = operator.post(NEW, data).content.decode()
    for value in ('value="nonsense"', 'value="8080"', 'value="7"', 'value="shop"'):
        assert value in page


def test_a_service_that_exists_is_refused(operator, lab):
    lab.add_service()
    answer = operator.post(NEW, typed(lab, *TWO))
    assert "exists in this cluster already" in answer.content.decode()
    assert VirtualService.objects.count() == 1


def test_a_service_that_somebody_made_by_hand_is_refused(operator, lab):
    lab.observe("lb01", director(services=(service(),)))
    answer = operator.post(NEW, typed(lab, *TWO))
    assert "made by hand" in answer.content.decode()


def test_a_damaged_formset_is_refused(operator, lab):
    data = typed(lab, *TWO)
    del data["servers-TOTAL_FORMS"]
    assert operator.post(NEW, data).status_code == 422
    huge = typed(lab, *TWO) | {"servers-TOTAL_FORMS": "100000"}
    assert operator.post(NEW, huge).status_code == 422
    assert not VirtualService.objects.exists()


def test_viewers_and_unknown_services(operator, viewer, lab):
    assert viewer.get(NEW).status_code == 403
    assert viewer.post(NEW, typed(lab, *TWO)).status_code == 403
    assert not VirtualService.objects.exists()
    assert operator.get(f"{SERVICES}999/").status_code == 404
    assert operator.put(NEW).status_code == 405


# -- is the VIP free? --


def test_a_vip_in_use_is_refused_and_nothing_is_lost(operator, lab):
    answered(lab, State.TAKEN, holder="52:54:00:12:34:56")
    answer = operator.post(NEW, typed(lab, *TWO))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "10.0.1.31 is in use on the LAN: 52:54:00:12:34:56 answers." in page
    assert 'value="10.0.1.31"' in page
    assert not VirtualService.objects.exists()


def test_without_an_answer_it_is_saved_with_a_warning(operator, lab, queued):
    with queued() as rung:
        answer = operator.post(NEW, typed(lab, *TWO), follow=True)
    check = AddressCheck.objects.get()
    assert rung == [("check_address", (str(check.pk),))]
    assert "It is asked again before" in answer.content.decode()
    assert VirtualService.objects.exists()


def test_an_old_answer_does_not_count(operator, lab, queued):
    old = answered(lab, State.FREE)
    AddressCheck.objects.filter(pk=old.pk).update(
        asked_at=timezone.now() - addresses.FRESH
    )
    with queued() as rung:
        operator.post(NEW, typed(lab, *TWO))
    assert [name for name, _arguments in rung] == ["check_address"]


def test_a_vip_that_a_run_has_bound_is_not_asked(operator, lab, queued):
    lb01 = lab.hosts["lb01"]
    lb01.footprint = Footprint((eth_vip(),)).as_json()
    lb01.save()
    with queued() as rung:
        operator.post(NEW, typed(lab, *TWO))
    assert rung == []
    assert VirtualService.objects.exists()


# -- rows, and notes while typing --


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
