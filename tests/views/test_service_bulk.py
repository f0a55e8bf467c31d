"""Many services, or one real server in many services, changed in one edit."""

import pytest
from django.urls import reverse

from cluster.lvs import words
from cluster.models import AuditEvent
from tests.hosts import make_cluster

BULK = reverse("cluster:service_bulk", args=["lab"])
SERVICES = reverse("cluster:services", args=["lab"])
SERVER = reverse("cluster:server", args=["lab", "10.0.1.6"])
WEIGHTS = reverse("cluster:server_weights", args=["lab", "10.0.1.6"])


@pytest.fixture
def three(lab):
    return [lab.add_service(port=port) for port in (80, 81, 82)]


def fresh(rows):
    for row in rows:
        row.refresh_from_db()
    return rows


def said(operator, **data):
    return operator.post(BULK, data, follow=True).content.decode()


# -- the list of services -------------------------------------------------------------


def test_selected_services_are_switched_off_and_on(operator, three):
    page = said(operator, action="off", service=[three[0].pk, three[2].pk])
    assert "2 virtual services were changed." in page
    assert [row.enabled for row in fresh(three)] == [False, True, False]
    event = AuditEvent.objects.latest("seq")
    told = str(words.from_json(event.sentence))
    assert told.count("Delete virtual service") == 2
    page = said(operator, action="on", service=[row.pk for row in three])
    assert "2 virtual services were changed." in page
    assert all(row.enabled for row in fresh(three))


def test_one_service_is_switched_by_its_own_button(operator, three):
    page = said(operator, only=f"off:{three[1].pk}", service=[three[0].pk])
    assert "1 virtual service was changed." in page
    assert [row.enabled for row in fresh(three)] == [True, False, True]


def test_selected_services_get_a_scheduler(operator, three):
    pks = [row.pk for row in three[:2]]
    said(operator, action="scheduler", scheduler="mh", service=pks)
    assert [row.scheduler for row in fresh(three)] == ["mh", "mh", "rr"]
    event = AuditEvent.objects.latest("seq")
    assert str(words.from_json(event.sentence)).count("round robin → ") == 2


def test_what_does_not_go_together_is_refused_for_all(operator, three):
    three[1].scheduler, three[1].hash_port = "sh", True
    three[1].save()
    pks = [row.pk for row in three]
    page = said(operator, action="scheduler", scheduler="wrr", service=pks)
    assert "Only sh and mh hash the client" in page
    assert [row.scheduler for row in fresh(three)] == ["rr", "sh", "rr"]


NOTHING = (
    {"action": "off"},
    {"action": "explode", "service": ["1"]},
    {"action": "scheduler", "scheduler": "best"},
    {"only": "off:x"},
    {"only": "off:99999999999999999999"},
)


@pytest.mark.parametrize("data", NOTHING)
def test_nonsense_changes_nothing(operator, three, data):
    count = AuditEvent.objects.count()
    assert "Nothing was changed" in said(operator, **data)
    assert [row.enabled for row in fresh(three)] == [True] * 3
    assert AuditEvent.objects.count() == count


def test_other_clusters_and_viewers_are_kept_out(viewer, operator, lab, three):
    other = reverse("cluster:service_bulk", args=[make_cluster("other").slug])
    operator.post(other, {"action": "off", "service": [three[0].pk]})
    assert viewer.post(BULK, {"only": f"off:{three[0].pk}"}).status_code == 403
    assert all(row.enabled for row in fresh(three))
    page = viewer.get(SERVICES).content.decode()
    assert 'name="service"' not in page
    assert "Switch off" not in page
    assert "data-select-all" in operator.get(SERVICES).content.decode()


# -- one real server in many services -------------------------------------------------


def rows_of(lab, services):
    """What the page sends when nothing was touched."""
    data, host = {}, lab.hosts["web1"]
    for service in services:
        prefix = f"row-{service.servers.get(host=host).pk}"
        data |= {f"{prefix}-weight": "1", f"{prefix}-enabled": "on"}
        data |= {f"{prefix}-upper": "0", f"{prefix}-lower": "0"}
    return data


def select(lab, services):
    host = lab.hosts["web1"]
    return {
        f"row-{service.servers.get(host=host).pk}-selected": "on"
        for service in services
    }


def web1(lab, services):
    host = lab.hosts["web1"]
    servers = [service.servers.get(host=host) for service in services]
    return [(s.weight, s.upper, s.lower, s.enabled) for s in servers]


def test_the_selected_ones_are_changed_in_one_draft(lab, operator, three):
    lab.keep_revision()
    data = rows_of(lab, three) | select(lab, three[:2])
    data |= {"all-weight": "5", "all-upper": "100", "all-lower": "50"}
    answer = operator.post(WEIGHTS, data)
    assert answer.status_code == 302
    assert web1(lab, three) == [(5, 100, 50, True)] * 2 + [(1, 0, 0, True)]
    event = AuditEvent.objects.filter(action="changed").latest("seq")
    assert str(words.from_json(event.sentence)).count("10.0.1.6:80") >= 1
    data = rows_of(lab, three) | select(lab, three[1:]) | {"all-use": "off"}
    operator.post(WEIGHTS, data)
    assert [enabled for *_rest, enabled in web1(lab, three)] == [True, False, False]


def test_typed_for_none_is_refused_and_kept(lab, operator, three):
    answer = operator.post(WEIGHTS, rows_of(lab, three) | {"all-weight": "5"})
    assert answer.status_code == 422
    assert "Select the services to change first." in answer.content.decode()
    assert web1(lab, three) == [(1, 0, 0, True)] * 3


def test_what_is_wrong_for_all_stands_in_each_row(lab, operator, three):
    data = rows_of(lab, three) | select(lab, three[:2])
    answer = operator.post(WEIGHTS, data | {"all-weight": "x"})
    assert answer.status_code == 422
    assert answer.content.decode().count("“x” is no whole number") == 2
    answer = operator.post(WEIGHTS, data | {"all-upper": "5", "all-lower": "9"})
    assert answer.content.decode().count("is above the upper one") == 2
    assert web1(lab, three) == [(1, 0, 0, True)] * 3


def test_the_page_counts_the_services(lab, operator, three):
    page = operator.get(SERVER).content.decode()
    assert "of 3 selected" in page
    assert page.count("data-select") >= 4
    listed = operator.get(SERVICES).content.decode()
    assert "One real server in all its services" in listed
