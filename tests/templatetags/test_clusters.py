"""What each director holds and is set to, on the live page."""

import pytest
from django.template import Context, Template

from cluster.lvs.settings import SyncDaemon, SyncRole, Timeouts
from cluster.models import Host, Vip
from tests.build import director, eth_vip
from tests.hosts import make_cluster, make_host

pytestmark = pytest.mark.django_db


def drawn(cluster):
    template = Template("{% load clusters %}{% cluster_directors cluster %}")
    return template.render(Context({"cluster": cluster}))


def test_a_director_is_shown_as_it_was_last_read():
    cluster = make_cluster("lab")
    Vip.number_for(cluster, "10.0.1.31")
    state = director(eth_vip())
    daemon = SyncDaemon(SyncRole.BACKUP, "eth0", 7)
    settings = type(state.settings)(Timeouts(600, 120, 300), (daemon,))
    facts = {"state": state.as_json() | {"settings": settings.as_json()}}
    cluster.director = make_host(
        "lb01", cluster=cluster, role=Host.Role.DIRECTOR, facts=facts
    )
    text = drawn(cluster)
    assert "TCP 600 s, TCP FIN 120 s, UDP 300 s" in text
    assert "eth0, ID 7" in text
    assert "10.0.1.31" in text
    assert "active" in text


@pytest.mark.parametrize(
    ("is_chosen", "holds", "word"),
    [
        (True, True, "active"),
        (False, True, "active"),  # it took over by itself
        (True, False, "chosen"),
        (False, False, "standby"),
    ],
)
def test_only_a_director_that_holds_a_vip_is_active(is_chosen, holds, word):
    cluster = make_cluster("lab")
    Vip.number_for(cluster, "10.0.1.31")
    facts = {"state": director(*[eth_vip()] if holds else []).as_json()}
    lb01 = make_host("lb01", cluster=cluster, role=Host.Role.DIRECTOR, facts=facts)
    cluster.director = lb01 if is_chosen else None
    text = drawn(cluster)
    words = {one for one in ("active", "chosen", "standby") if one in text}
    assert words == {word}


def test_a_director_that_was_never_read_is_not_drawn():
    cluster = make_cluster("lab")
    make_host("lb01", cluster=cluster, role=Host.Role.DIRECTOR)
    assert "lb01" not in drawn(cluster)
