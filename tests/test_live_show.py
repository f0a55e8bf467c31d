"""What is rendered for the audiences of a cluster."""

import pytest

from cluster import live_show
from cluster.live_show import Audience, Show
from cluster.models import Cluster
from cluster.views import live_page
from cluster.views.look import ALL, Look
from tests.hosts import make_cluster

pytestmark = pytest.mark.django_db


def test_a_cluster_is_read_once_for_all_who_look_at_the_same_moment(monkeypatch):
    read: list[str] = []
    load = live_page.load

    def counted(cluster: Cluster) -> live_page.Live:
        read.append(cluster.slug)
        return load(cluster)

    monkeypatch.setattr(live_page, "load", counted)
    one, two = make_cluster("one"), make_cluster("two")
    audiences = [
        Audience(one.pk, "en", Look()),
        Audience(one.pk, "en", Look(opened=(ALL,))),
        Audience(one.pk, "de", Look(totals=True)),
        Audience(two.pk, "en", Look()),
    ]
    for _moment in range(2):
        loaded = live_show.Loaded()
        shows = [live_show.render(a, Show(), {""}, loaded) for a in audiences]
        assert all(show and show.everything() for show in shows)
    assert read == ["one", "two"] * 2


def test_a_cluster_that_is_gone_is_shown_to_nobody():
    gone = Audience(4711, "en", Look())
    assert live_show.render(gone, Show(), {""}, live_show.Loaded()) is None
