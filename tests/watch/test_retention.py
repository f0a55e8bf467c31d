import pytest
from django.core.cache import cache

from cluster.models import HistoryChunk, Host
from cluster.watch import retention
from cluster.watch.levels import DAY, HOUR, LEVELS, MINUTE, QUARTER, RAW
from tests.hosts import make_host

pytestmark = pytest.mark.django_db
NOW = 1_764_000_000


def keep(director, level, age):
    HistoryChunk.objects.create(
        director=director,
        level=level.number,
        start=level.start(NOW - age),
        group="",
        data=b"",
    )


def left():
    return list(HistoryChunk.objects.order_by("start").values_list("level", flat=True))


def test_each_level_has_its_own_end(monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 1)
    lb01 = make_host("lb01", role=Host.Role.DIRECTOR)
    for level, age in [
        (RAW, 47 * HOUR),
        (RAW, 50 * HOUR),
        (RAW, 60 * HOUR),
        (MINUTE, 29 * DAY),
        (MINUTE, 32 * DAY),
        (QUARTER, 729 * DAY),
        (QUARTER, 735 * DAY),
    ]:
        keep(lb01, level, age)
    assert retention.prune(NOW) == 4
    assert left() == [QUARTER.number, MINUTE.number, RAW.number]


def test_nothing_goes_before_its_time():
    lb01 = make_host("lb01", role=Host.Role.DIRECTOR)
    for level in LEVELS:
        keep(lb01, level, level.keep)
    assert retention.prune(NOW) == 0


def test_it_works_once_in_ten_minutes_however_often_it_is_called():
    retention.prune(NOW)
    keep(make_host("lb01", role=Host.Role.DIRECTOR), RAW, 60 * HOUR)
    assert retention.prune(NOW) == 0
    cache.clear()
    assert retention.prune(NOW) == 1
