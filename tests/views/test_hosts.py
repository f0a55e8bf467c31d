"""All hosts, and one host."""

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.audit import Action, Actor, append
from cluster.control.trouble import record_trouble
from cluster.lvs.words import say
from cluster.models import AuditEvent, Credential, Host
from cluster.remote.shell import Unreachable
from tests.hosts import make_cluster, make_host

pytestmark = pytest.mark.django_db


def url(name, host):
    return reverse(f"cluster:{name}", args=[host.pk])


def names(response):
    return [line.host.name for _, lines in response.context["groups"] for line in lines]


@pytest.fixture
def three():
    """web1 is fine, web2 does not answer, lb01 waits for its key to be accepted."""
    web1 = make_host("web1", facts={"os": {"name": "Debian GNU/Linux 12"}})
    key = web1.credential
    web2 = make_host("web2", address="10.0.1.9", ssh_address="b", credential=key)
    make_host(
        "lb01",
        address="10.0.1.3",
        ssh_address="c",
        role=Host.Role.DIRECTOR,
        host_key="",
        credential=key,
    )
    record_trouble(web2, Unreachable("web2", "web2 is off."))


def test_without_hosts_it_shows_how_to_begin(administrator):
    text = administrator.get(reverse("cluster:hosts")).content
    assert b"No hosts yet" in text
    assert reverse("cluster:host_new").encode() in text


def test_a_viewer_sees_hosts_and_no_buttons(viewer, three):
    text = viewer.get(reverse("cluster:hosts")).content
    assert b"web1" in text
    assert reverse("cluster:host_new").encode() not in text
    text = viewer.get(url("host", Host.objects.get(name="web1"))).content
    assert b"Look again" not in text


def test_the_worst_is_first(viewer, three):
    response = viewer.get(reverse("cluster:hosts"))
    assert names(response) == ["web2", "lb01", "web1"]
    assert b"web2 is off. Nothing was sent." in response.content


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=debian", ["web1"]),
        ("q=10.0.1.9", ["web2"]),
        ("q=web+10.0.1.6", ["web1"]),
        ("role=director", ["lb01"]),
        ("state=unreachable", ["web2"]),
        ("cluster=shop&sort=name", ["lb01", "web1", "web2"]),
        ("sort=address", ["lb01", "web1", "web2"]),
        ("sort=nonsense", ["web2", "lb01", "web1"]),
        ("cluster=other", []),
    ],
)
def test_filters_and_sorting_combine(viewer, three, query, found):
    assert names(viewer.get(f"{reverse('cluster:hosts')}?{query}")) == found


def test_the_list_costs_the_same_for_many_hosts(
    viewer, three, django_assert_max_num_queries
):
    key = Credential.objects.first()
    for n in range(30):
        place = {"address": f"10.0.2.{n}", "ssh_address": f"10.0.2.{n}"}
        make_host(f"rs{n}", credential=key, **place)
    with django_assert_max_num_queries(8):
        viewer.get(reverse("cluster:hosts"))


def test_looking_again_asks_a_worker(administrator, queued):
    host = make_host()
    with queued() as rung:
        response = administrator.post(url("host_look", host))
    assert response.url == url("host", host)
    assert rung == [("look_at_host", (host.pk,))]


def test_operators_see_what_was_done_on_the_host(operator, viewer):
    host = make_host()
    append(Actor("li"), Action.OUTCOME, say("Bind it"), host="web1", cluster="shop")
    append(Actor("li"), Action.OUTCOME, say("Elsewhere"), host="web1", cluster="x")
    text = operator.get(url("host", host)).content
    assert b"Bind it" in text
    assert b"Elsewhere" not in text
    assert b"Bind it" not in viewer.get(url("host", host)).content


def test_a_changed_address_is_saved_and_tried(administrator, queued):
    host = make_host()
    data = {
        "address": "10.0.1.7",
        "ssh_address": "node7.example.org",
        "ssh_port": "2222",
        "ssh_user": "lvs",
    }
    with queued() as rung:
        administrator.post(url("host_edit", host), data)
    host.refresh_from_db()
    assert (host.address, host.ssh_address) == ("10.0.1.7", "node7.example.org")
    assert rung == [("look_at_host", (host.pk,))]
    assert "lvs@node7.example.org port 2222" in AuditEvent.objects.get().text


def test_the_lan_address_stays_while_services_use_it(administrator, lab, queued):
    lab.add_service()
    host = lab.hosts["web1"]
    data = {
        "address": "10.0.1.77",
        "ssh_address": "x",
        "ssh_port": 22,
        "ssh_user": "lvs",
    }
    with queued():
        administrator.post(url("host_edit", host), data)
    host.refresh_from_db()
    assert (host.address, host.ssh_address) == ("10.0.1.6", "x")


def test_nothing_is_lost_when_an_edit_is_wrong(administrator):
    host = make_host()
    data = {"address": "x", "ssh_address": "-o", "ssh_port": 22, "ssh_user": "lvs"}
    response = administrator.post(url("host_edit", host), data)
    assert response.status_code == 422
    assert b'value="-o"' in response.content


def test_an_idle_host_is_removed_with_its_key(administrator):
    host = make_host()
    administrator.post(url("host_remove", host), {"confirm": "web1"})
    assert not Host.objects.exists()
    assert not Credential.objects.exists()
    assert AuditEvent.objects.filter(host="web1", actor="ada").exists()


def test_a_shared_key_stays(administrator):
    host = make_host()
    make_host("web2", address="10.0.1.9", credential=host.credential)
    administrator.post(url("host_remove", host), {"confirm": "web1"})
    assert Credential.objects.exists()


@pytest.mark.parametrize("typed", ["", "web2"])
def test_a_host_is_not_removed_without_its_name(administrator, typed):
    host = make_host()
    administrator.post(url("host_remove", host), {"confirm": typed})
    assert Host.objects.exists()


def test_a_host_that_serves_is_not_removed(administrator, lab):
    lab.add_service()
    for name in ("web1", "lb01"):
        host = lab.hosts[name]
        administrator.post(url("host_remove", host), {"confirm": name})
        assert Host.objects.filter(pk=host.pk).exists()
        page = administrator.get(url("host", host)).content
        assert b"cannot be removed now" in page


def test_a_host_with_something_of_ours_is_not_removed(administrator):
    left = {"addresses": [["lo", "10.0.1.31/32", "lo:1"]], "routes": []}
    host = make_host(footprint=left | {"sysctls": {}, "services": ""})
    administrator.post(url("host_remove", host), {"confirm": "web1"})
    assert Host.objects.exists()
    assert b"10.0.1.31/32 dev lo" in administrator.get(url("host", host)).content


@pytest.mark.parametrize("name", ["host_look", "host_remove"])
def test_it_rejects_get(administrator, name):
    assert administrator.get(url(name, make_host())).status_code == 405


@pytest.mark.parametrize("name", ["host_look", "host_edit", "host_remove"])
def test_operators_change_no_hosts(operator, name):
    host = make_host()
    assert operator.post(url(name, host), {"confirm": "web1"}).status_code == 403
    assert Host.objects.exists()


def test_text_of_the_host_is_shown_as_text(administrator):
    facts = {"os": {"name": "<script>alert(1)</script>"}, "links": []}
    host = make_host(facts=facts, seen_at=timezone.now(), cluster=make_cluster())
    for page in (url("host", host), reverse("cluster:hosts")):
        assert b"<script>alert" not in administrator.get(page).content
