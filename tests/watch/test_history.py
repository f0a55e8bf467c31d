from datetime import UTC, datetime

import pytest

from cluster.models import Host, Reading
from cluster.watch import history, store
from cluster.watch.history import Point, summed
from cluster.watch.packing import pack
from cluster.watch.store import News
from tests.hosts import make_host
from tests.watch.build import KEY, WEB1, sample

START = 1_764_000_000.0


def keep(director, at, conns, **changes):
    data = pack(sample(at, conns, **changes))
    moment = datetime.fromtimestamp(at, UTC)
    Reading.objects.create(director=director, at=moment, data=data)


@pytest.fixture
def lb01(db):
    return make_host("lb01", role=Host.Role.DIRECTOR)


def test_two_directors_are_added_up_though_they_tick_at_different_moments():
    series = {
        1: [Point(0.1, 1.0, 10), Point(2.1, 2.0, 20), Point(4.1, 3.0, 30)],
        2: [Point(1.3, 5.0, 1), Point(3.3, 6.0, 1), Point(5.3, 7.0, 1)],
    }
    assert summed(series, 0.0, 6.0) == [
        Point(2.0, 6.0, 11),
        Point(4.0, 8.0, 21),
        Point(6.0, 10.0, 31),
    ]


def test_a_silence_is_a_gap_not_a_zero():
    line = {1: [Point(0.0, 1.0, 10), Point(20.0, 2.0, 20)]}
    values = [point.conns for point in summed(line, 0.0, 20.0)]
    assert values == [1.0] * 4 + [None] * 6 + [2.0]


def test_one_row_comes_from_readings(lb01):
    for i, conns in enumerate([100, 100, 108, 112]):
        keep(lb01, START + 2 * i, conns)
    points = history.row_points([lb01.pk], WEB1, START, START + 6)
    assert points[0].conns is None
    assert points[-1].conns == pytest.approx(1.0, abs=1.1)
    assert {point.active for point in points} == {2}


def test_a_reset_in_the_readings_is_a_gap_and_never_negative(lb01):
    for i, conns in enumerate([1000, 1010, 4, 14]):
        keep(lb01, START + 2 * i, conns)
    values = [p.conns for p in history.stored_points(lb01.pk, KEY, START, START + 9)]
    assert values == [None, 5.0, None, 5.0]


def test_a_row_that_was_not_there_has_no_points(lb01):
    keep(lb01, START, 5)
    assert history.row_points([lb01.pk], "TCP 10.0.1.99:80", START, START + 2) == []


def test_what_the_cache_has_lost_is_taken_from_readings(lb01):
    store.client().delete(f"totals:{lb01.pk}")
    for i in range(10):
        keep(lb01, START + 2 * i, 100 + 4 * i)
    for i in range(10, 15):
        store.publish([News(lb01.pk, 1, sample(START + 2 * i))])
    points = history.cluster_points([lb01.pk], START, START + 28)
    assert len(points) == 15
    assert points[0].conns is None
    assert points[5].conns == 2.0
    assert points[-1].conns == 4.0
    store.client().delete(f"totals:{lb01.pk}")
