"""What is rendered for the audiences of a cluster."""

import time
from typing import Any

import pytest

from cluster import live_show
from cluster.live_show import Audience, Show
from cluster.lvs.frame import PERIOD
from cluster.lvs.rates import Rates
from cluster.models import Cluster, Host
from cluster.views import live_page
from cluster.views.look import ALL, Look
from cluster.watch import store
from cluster.watch.sample import TOTAL
from cluster.watch.store import News
from tests.hosts import make_cluster, make_host
from tests.watch.build import sample

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


def published(director: Host, at: float, **changes: Any) -> None:
    news = sample(at, **changes)
    store.publish([News(director.pk, director.cluster_id or 0, news)])


def test_chips_and_notices_are_rendered_when_there_is_something_to_tell():
    director = make_host("lb01", role=Host.Role.DIRECTOR)
    assert director.cluster_id
    audience = Audience(director.cluster_id, "en", Look())

    def shown(before: Show) -> Show:
        show = live_show.render(audience, before, (), live_show.Loaded())
        assert show
        return show

    published(director, time.time())
    quiet = shown(Show())
    assert shown(quiet).regions is quiet.regions
    store.client().flushdb()
    silent = shown(quiet)
    assert "Nothing has come from lb01" in silent.regions["#live-top"]
    assert shown(silent).regions is not silent.regions
    published(director, time.time())
    again = shown(silent)
    assert again.regions == quiet.regions
    published(director, time.time(), error="no such program")
    assert "no such program" in shown(again).regions["#live-top"]


def test_a_point_is_of_the_newest_sample_and_none_is_drawn_twice():
    director = make_host("lb01", role=Host.Role.DIRECTOR)
    audience = Audience(director.cluster_id or 0, "en", Look())
    now = time.time()
    published(director, now - 4.0)
    shows = [live_show.render(audience, Show(), (), live_show.Loaded()) for _ in "ab"]
    points = [show.point for show in shows if show and show.point]
    assert [point["t"] for point in points] == [(now - 4.0) // PERIOD * PERIOD] * 2
    assert points[0]["values"] == [4.0, 3]


def test_nothing_is_no_rate_while_a_busy_director_has_only_begun_to_count():
    busy = make_host("lb01", role=Host.Role.DIRECTOR)
    idle = make_host(
        "lb02", cluster=busy.cluster, role=Host.Role.DIRECTOR, address="10.0.1.5"
    )
    audience = Audience(busy.cluster_id or 0, "en", Look())
    still = {TOTAL: Rates(0.0, 0.0, 0.0, 0.0, 0.0)}
    published(idle, time.time(), services=(), counters={}, rates=still)
    published(busy, time.time(), rates={})
    show = live_show.render(audience, Show(), (), live_show.Loaded())
    assert show
    assert show.point
    assert show.point["values"] == [None, 3]
    published(idle, time.time(), services=(), counters={}, rates={})
    published(busy, time.time())
    show = live_show.render(audience, show, (), live_show.Loaded())
    assert show
    assert show.point
    assert show.point["values"] == [4.0, 3]


def test_a_standby_does_not_say_that_a_silent_director_has_no_connections():
    busy = make_host("lb01", role=Host.Role.DIRECTOR)
    assert busy.cluster
    Cluster.objects.update(director=busy)
    idle = make_host(
        "lb02", cluster=busy.cluster, role=Host.Role.DIRECTOR, address="10.0.1.5"
    )
    cluster = Cluster.objects.get()
    published(idle, time.time(), services=(), counters={})
    published(busy, time.time() - 20)
    assert set(live_page.load(cluster).totals.values()) == {None}
    published(busy, time.time())
    assert live_page.load(cluster).totals["active"] == 3
    published(busy, time.time() - 20)
    published(idle, time.time())  # it has taken over
    assert live_page.load(cluster).totals["active"] == 3
