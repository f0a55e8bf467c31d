"""Reading back: the level that fits, and no point lost or doubled at the seams."""

import pytest

from cluster.lvs.rates import Rates
from cluster.models import HistoryMark, Host, Reading
from cluster.watch import history, rollup
from cluster.watch.levels import DAY, HOUR, MINUTE, QUARTER, RAW
from cluster.watch.packing import HOSTS, TOTAL, pack
from tests.hosts import make_host
from tests.watch.build import KEY, WEB1, sample

pytestmark = pytest.mark.django_db
START = 1_764_000_000 // 86400 * 86400


@pytest.fixture
def lb01(db):
    return make_host("lb01", role=Host.Role.DIRECTOR)


@pytest.fixture
def at(monkeypatch):
    """Set the clock of the reader."""

    def set_clock(seconds):
        monkeypatch.setattr(history.time, "time", lambda: START + seconds)

    return set_clock


def keep(director, moments, conns=1.0, **changes):
    rows = []
    for seconds in moments:
        rates = dict.fromkeys(("", KEY, WEB1), Rates(conns, 0, 0, 0, 0))
        made = sample(START + seconds, **{"rates": rates} | changes)
        rows.append(Reading(director=director, at=made.at, data=pack(made)))
    Reading.objects.bulk_create(rows)


def fold(director, seconds):
    while rollup.fold(director.pk, START + seconds):
        pass


def conns(director, since, until, series=TOTAL):
    group, name = series
    found = history.read([director.pk], group, [name], START + since, START + until)
    return found[name].traces["conns"].mean


@pytest.mark.parametrize("folded", [0, 320, 650, 950])
def test_readings_and_chunks_are_one_line(lb01, at, folded):
    at(900)
    keep(lb01, range(0, 900, 2))
    fold(lb01, folded)
    for series in (TOTAL, (KEY, ""), (KEY, "10.0.1.6:80"), (HOSTS, "10.0.1.6")):
        assert conns(lb01, 0, 900, series) == [1.0] * 450
    assert conns(lb01, 100, 500) == [1.0] * 200


@pytest.mark.parametrize(("days", "most"), [(0.9, 1500), (7, 700), (300, 1500)])
def test_long_ranges_come_from_roll_ups_and_end_now(lb01, at, days, most):
    at(2400)
    keep(lb01, range(0, 2400, 2), conns=5.0)
    fold(lb01, 2300)
    line = conns(lb01, 2400 - days * DAY, 2400)
    known = [value for value in line if value is not None]
    assert len(line) <= most
    assert set(known) == {5.0}
    assert line[-1] == 5.0
    found = history.stored(lb01.pk, "", [""], QUARTER, START - 7 * DAY, START + 2400)[
        ""
    ]
    # One quarter is complete, of the minutes after it 15 to 38 are, then readings.
    assert [len(stretch.times) for stretch in found] == [2, 5, 150]


def test_rolled_up_while_somebody_reads(lb01, at, monkeypatch):
    """What moves from readings to chunks between two questions is there once."""
    at(900)
    keep(lb01, range(0, 900, 2))

    class Late:
        @property
        def objects(self):
            fold(lb01, 950)
            return HistoryMark.objects

    monkeypatch.setattr(history, "HistoryMark", Late())
    found = history.stored(lb01.pk, "", [""], RAW, START, START + 900)[""]
    assert sum(len(stretch.times) for stretch in found) == 450


def test_a_gap_stays_a_gap_at_each_level(lb01, at):
    at(1800)
    keep(lb01, [*range(0, 300, 2), *range(420, 1800, 2)])
    for folded in (0, 1900):
        fold(lb01, folded)
        found = history.read([lb01.pk], "", [""], START, START + 1800)[""]
        assert found.gaps() == [(START + 300, START + 420)]
    at(DAY)
    found = history.read([lb01.pk], "", [""], START, START + DAY)[""]
    assert found.gaps() == [(START + 300, START + 420), (START + 1800, START + DAY)]


def test_all_of_a_group_with_one_that_came_later(lb01, at):
    at(600)
    keep(lb01, range(0, 300, 2), services=())
    keep(lb01, range(300, 600, 2))
    fold(lb01, 400)
    found = history.read([lb01.pk], KEY, [], START, START + 600)
    assert set(found) == {"", "10.0.1.6:80", "10.0.1.9:80"}
    line = found["10.0.1.9:80"].traces["active"].mean
    assert line == [None] * 150 + [1.0] * 150


def test_what_was_never_there_has_no_points(lb01, at):
    at(10)
    keep(lb01, [0, 2])
    found = history.read([lb01.pk], "TCP 10.0.1.99:80", [""], START, START + 10)[""]
    assert found.is_empty
    assert history.read([lb01.pk], "TCP 10.0.1.99:80", [], START, START + 10) == {}
    assert history.read([], "", [""], START, START + 10)[""].is_empty


@pytest.mark.parametrize(
    ("span", "age", "level"),
    [
        (HOUR, 0, RAW),
        (HOUR, 3 * DAY, MINUTE),
        (HOUR, 40 * DAY, QUARTER),
        (DAY, 0, MINUTE),
        (7 * DAY, 0, QUARTER),
        (365 * DAY, 0, QUARTER),
    ],
)
def test_the_level_fits_the_range_and_what_is_kept(span, age, level):
    now = START
    until = now - age
    assert history.level_for(until - span, until, now) is level
    assert span / history.step_for(level, span) <= history.MOST
    assert history.step_for(level, span) % level.step == 0
    assert MINUTE.step == 60
