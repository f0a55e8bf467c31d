import time

import pytest
from django.urls import reverse

from cluster.lvs.words import say
from cluster.models import AuditEvent, Cluster, Host, User
from cluster.watch import store
from cluster.watch.store import News
from tests.hosts import make_cluster, make_host
from tests.watch.build import sample


@pytest.fixture
def administrator(client, db):
    client.force_login(
        User.objects.create(username="zhang", role=User.Role.ADMINISTRATOR)
    )
    return client


def test_every_cluster_is_there_and_the_worst_comes_first(lab, administrator):
    lab.add_service()
    lab.keep_revision()
    lb01 = lab.hosts["lb01"]
    store.publish([News(lb01.pk, lab.cluster.pk, sample(time.time()))])
    trouble = say("{host} is gone.", host="lb07").as_json()
    advice = say("Look.").as_json()
    make_host(
        "lb07",
        cluster=make_cluster("zoo"),
        role=Host.Role.DIRECTOR,
        trouble=trouble | {"kind": "unreachable", "advice": advice},
    )
    html = administrator.get("/").content.decode()
    cards = html[html.index('id="overview"') :]
    assert cards.index("zoo") < cards.index(">lab<")
    assert "lb07 is gone." in html
    assert "4/s" in html


def test_what_waits_to_be_applied_is_told(lab, administrator):
    lab.add_service()
    assert "1 change not applied" in administrator.get("/").content.decode()


def test_without_a_cluster_it_says_how_to_begin(administrator, viewer):
    assert "New cluster" in administrator.get("/").content.decode()
    html = viewer.get("/").content.decode()
    assert "An administrator can make one." in html
    assert reverse("cluster:cluster_new") not in html


def test_the_fragment_is_only_the_cards(lab, administrator):
    html = administrator.get(reverse("cluster:overview_live")).content.decode()
    assert html.lstrip().startswith('<div class="cards"')


def test_an_administrator_makes_a_cluster_and_the_log_says_who(administrator):
    url = reverse("cluster:cluster_new")
    response = administrator.post(url, {"name": "Production web"})
    assert response.url == reverse("cluster:cluster", args=["production-web"])
    event = AuditEvent.objects.get()
    assert (event.actor, event.cluster) == ("zhang", "Production web")
    assert administrator.get(response.url).status_code == 200


@pytest.mark.parametrize("name", ["", "new", "---", "Shop", "x" * 65, "北京"])
def test_a_name_that_does_not_do_is_refused_beside_the_field(administrator, name):
    make_cluster("shop")
    response = administrator.post(reverse("cluster:cluster_new"), {"name": name})
    assert response.status_code == 422
    assert response.context["form"].errors["name"]
    assert Cluster.objects.count() == 1
    assert not AuditEvent.objects.exists()


def test_others_may_not(operator, viewer):
    url = reverse("cluster:cluster_new")
    for client in (operator, viewer):
        assert client.post(url, {"name": "mine"}).status_code == 403
    assert not Cluster.objects.exists()
