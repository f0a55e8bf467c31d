"""The form of a virtual service: refused beside its fields, and nothing is lost."""

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.forms.service_fields import OTHER
from cluster.lvs.host import Footprint
from cluster.lvs.settings import Settings, SyncDaemon, SyncRole
from cluster.models import AddressCheck, AuditEvent, VirtualService
from cluster.views import addresses
from tests.build import director, eth_vip, service
from tests.views.service_form import (
    CHECK,
    NEW,
    SERVICES,
    TWO,
    State,
    _no_waiting,
    answered,
    errors,
    typed,
)

__all__ = ["_no_waiting"]


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
