"""The wizard: a new host, its key, its rights."""

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from cluster import errands
from cluster.errands import Errand
from cluster.lvs.host_facts import fingerprint
from cluster.models import AuditEvent, Cluster, Credential, Host
from tests.hosts import KEY, OTHER_KEY, make_cluster, make_host

pytestmark = pytest.mark.django_db
NEW = {
    "new_cluster": "Web Shop",
    "name": "lb01",
    "role": "director",
    "address": "10.0.1.3",
    "ssh_address": "",
    "ssh_port": "22",
    "ssh_user": "piranha",
}
NONSENSE = [
    ("name", "-oProxyCommand=id"),
    ("name", "lb_01"),
    ("name", "LB 01; rm -rf /"),
    ("address", "10.0.1.256"),
    ("address", "127.0.0.1"),
    ("address", "fe80::1"),
    ("address", "224.0.0.18"),
    ("ssh_address", "-oProxyCommand=touch${IFS}x"),
    ("ssh_address", "169.254.169.254"),
    ("ssh_address", "0.0.0.0"),  # noqa: S104 (refused, not bound)
    ("ssh_address", "10.0.1.300"),
    ("ssh_address", "a b"),
    ("ssh_address", "host_name"),
    ("ssh_address", "host\nname"),
    ("ssh_address", "a" * 64 + ".example.org"),
    ("ssh_port", "0"),
    ("ssh_port", "65536"),
    ("ssh_port", "ssh"),
    ("ssh_user", "root"),
    ("ssh_user", "-l"),
    ("ssh_user", "Piranha"),
    ("ssh_user", "a;id"),
    ("ssh_user", "a" * 33),
    ("role", "god"),
    ("new_cluster", "///"),
    ("new_cluster", ""),
]


def url(name, host):
    return reverse(f"cluster:{name}", args=[host.pk])


def test_a_first_host_makes_its_cluster_and_a_key(administrator, queued):
    with queued() as rung:
        response = administrator.post(reverse("cluster:host_new"), NEW)
    host = Host.objects.get()
    assert response.url == url("host_access", host)
    assert (host.cluster.name, host.cluster.slug) == ("Web Shop", "web-shop")
    assert (host.ssh_address, host.host_key) == ("10.0.1.3", "")
    assert host.credential.public_key.startswith("ssh-ed25519 ")
    assert "OPENSSH PRIVATE KEY" in host.credential.unseal()
    assert b"PRIVATE" not in bytes(host.credential.sealed)
    assert rung == [("fetch_host_key", (host.pk,))]
    assert AuditEvent.objects.filter(host="lb01", actor="ada").exists()


def test_a_second_host_may_share_cluster_and_key(administrator, queued):
    first = make_host()
    more = NEW | {"cluster": first.cluster.pk, "credential": first.credential.pk}
    with queued():
        administrator.post(reverse("cluster:host_new"), more)
    host = Host.objects.get(name="lb01")
    assert (host.cluster, host.credential) == (first.cluster, first.credential)
    assert Cluster.objects.count() == Credential.objects.count() == 1


@pytest.mark.parametrize(("field", "value"), NONSENSE)
def test_nonsense_is_refused_beside_its_field(administrator, queued, field, value):
    with queued() as rung:
        response = administrator.post(reverse("cluster:host_new"), NEW | {field: value})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert not Host.objects.exists()
    assert not Cluster.objects.exists()
    assert rung == []


def test_the_same_host_twice_is_refused(administrator):
    first = make_host()
    again = NEW | {
        "cluster": first.cluster.pk,
        "name": first.name,
        "address": first.address,
    }
    response = administrator.post(reverse("cluster:host_new"), again)
    assert set(response.context["form"].errors) == {"name", "address", "ssh_address"}


def test_a_name_of_a_cluster_is_used_once(administrator):
    make_cluster("web-shop")
    response = administrator.post(reverse("cluster:host_new"), NEW)
    assert list(response.context["form"].errors) == ["new_cluster"]


def test_the_commands_to_copy_are_for_this_host(administrator):
    host = make_host(ssh_user="lvs")
    text = administrator.get(url("host_access", host)).content.decode()
    assert "useradd --create-home" in text
    assert f"restrict {host.credential.public_key}" in text
    assert "visudo -c" in text
    assert "lvs ALL=(root:root) NOPASSWD: PIRANHA_WRITE" in text
    assert "PRIVATE" not in text


def test_the_sudoers_file_is_downloaded(administrator):
    response = administrator.get(url("host_sudoers", make_host(ssh_user="lvs")))
    assert "attachment" in response["Content-Disposition"]
    assert response["Content-Type"].startswith("text/plain")
    assert b"lvs ALL=(root:root)" in response.content


def test_a_fetched_key_is_shown_with_the_command_to_compare(administrator):
    host = make_host(host_key="", offered_key=OTHER_KEY)
    text = administrator.get(url("host_key", host)).content.decode()
    assert fingerprint(OTHER_KEY) in text
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in text


def test_the_page_polls_only_while_a_worker_is_at_it(administrator):
    host = make_host(host_key="")
    errands.begin(Errand.FETCH_KEY, host.pk)
    waiting = administrator.get(url("host_key", host), HTTP_HX_REQUEST="true").content
    assert b"every 1s" in waiting
    assert b"<html" not in waiting
    errands.end(Errand.FETCH_KEY, host.pk)
    assert b"every 1s" not in administrator.get(url("host_key", host)).content


def test_a_worker_that_does_not_come_is_said(administrator, monkeypatch):
    host = make_host(host_key="")
    errands.begin(Errand.FETCH_KEY, host.pk)
    monkeypatch.setattr(errands, "OVERDUE", -1.0)
    text = administrator.get(url("host_key", host)).content
    assert b"No worker has answered" in text
    assert errands.begin(Errand.FETCH_KEY, host.pk)  # and it can be asked again


def test_an_accepted_key_is_pinned_audited_and_tried(administrator, queued):
    host = make_host(host_key="", offered_key=OTHER_KEY, accepted_at=None)
    with queued() as rung:
        response = administrator.post(url("host_key", host), {"key": OTHER_KEY})
    host.refresh_from_db()
    assert response.url == url("host_rights", host)
    assert host.host_key == OTHER_KEY
    assert host.accepted_by.username == "ada"
    assert timezone.now() >= host.accepted_at
    assert rung == [("look_at_host", (host.pk,))]
    event = AuditEvent.objects.get(host=host.name)
    assert fingerprint(OTHER_KEY) in event.text


def test_a_key_that_was_not_shown_is_not_accepted(administrator, queued):
    host = make_host(host_key="", offered_key=OTHER_KEY)
    with queued() as rung:
        response = administrator.post(url("host_key", host), {"key": KEY})
    host.refresh_from_db()
    assert response.status_code == 422
    assert (host.host_key, rung) == ("", [])


@pytest.mark.parametrize("typed", ["", "WEB1", "yes"])
def test_a_new_key_needs_the_name_of_the_host(administrator, typed):
    host = make_host(offered_key=OTHER_KEY)
    data = {"key": OTHER_KEY, "confirm": typed}
    assert administrator.post(url("host_key", host), data).status_code == 422
    host.refresh_from_db()
    assert host.host_key == KEY


def test_a_new_key_is_accepted_with_both_fingerprints_in_the_log(administrator, queued):
    host = make_host(offered_key=OTHER_KEY, trouble={"kind": "key_changed"})
    with queued():
        administrator.post(url("host_key", host), {"key": OTHER_KEY, "confirm": "web1"})
    host.refresh_from_db()
    assert (host.host_key, host.trouble) == (OTHER_KEY, None)
    text = AuditEvent.objects.get(host="web1").text
    assert fingerprint(KEY) in text
    assert fingerprint(OTHER_KEY) in text


def test_both_fingerprints_are_shown_before(administrator):
    host = make_host(offered_key=OTHER_KEY)
    text = administrator.get(url("host_key", host)).content.decode()
    assert fingerprint(KEY) in text
    assert fingerprint(OTHER_KEY) in text


def test_asking_twice_rings_once(administrator, queued):
    host = make_host(host_key="")
    with queued() as rung:
        administrator.post(url("host_key_fetch", host))
        administrator.post(url("host_key_fetch", host))
    assert rung == [("fetch_host_key", (host.pk,))]
    cache.clear()


@pytest.mark.parametrize("name", ["host_access", "host_key", "host_rights"])
def test_each_step_can_be_come_back_to(administrator, name):
    assert administrator.get(url(name, make_host())).status_code == 200


@pytest.mark.parametrize(
    "name", ["host_access", "host_sudoers", "host_key", "host_rights", "host_edit"]
)
def test_operators_do_not_set_up_hosts(operator, name):
    assert operator.get(url(name, make_host())).status_code == 403


@pytest.mark.parametrize("name", ["host_key", "host_key_fetch", "host_look"])
def test_operators_change_nothing(operator, queued, name):
    host = make_host(host_key="", offered_key=OTHER_KEY)
    with queued() as rung:
        response = operator.post(url(name, host), {"key": OTHER_KEY})
    assert (response.status_code, rung) == (403, [])


def test_an_unknown_host_is_404(administrator):
    assert administrator.get(reverse("cluster:host_key", args=[7])).status_code == 404


def test_nobody_is_asked_for_a_slug(administrator):
    wrong = NEW | {"name": "LB 01", "address": "x"}
    text = administrator.post(reverse("cluster:host_new"), wrong).content.decode()
    assert "slug" not in text
    assert "Write an IP address such as 10.0.1.3." in text
    assert 'value="LB 01"' in text
