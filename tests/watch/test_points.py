from array import array
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.watch.chunks import Block
from cluster.watch.levels import MINUTE, minutes_of, quarter_of
from cluster.watch.packing import VALUES
from cluster.watch.points import Stretch, points, summed

ACTIVE, CONNS, OUT = (VALUES.index(n) for n in ("active", "conns", "out_packets"))


def raw(times, **values):
    columns = [array("f", values.get(name, [1.0] * len(times))) for name in VALUES]
    return Stretch(array("d", times), columns)


def idle(many):
    return dict.fromkeys(VALUES, [0] * many)


def trace(found, name="active"):
    return found.traces[name].mean


def test_a_silence_is_a_gap_not_a_zero():
    found = points([raw([0, 2, 4, 20, 22])], 0, 24, 2)
    assert trace(found) == [1.0] * 3 + [None] * 7 + [1.0] * 2
    assert found.gaps() == [(6, 20)]


def test_a_reading_that_is_a_little_late_leaves_no_gap():
    found = points([raw([0, 2, 6.1, 8.1])], 0, 10, 2)
    assert trace(found) == [1.0] * 5
    assert found.gaps() == []


@pytest.mark.parametrize("offset", [0.0, 0.4, 0.9, 1.3, 1.9])
def test_what_a_killed_worker_leaves_is_a_gap_though_another_is_quick(offset):
    times = [at + offset for at in (0, 2, 4, 11.3, 13.3)]
    ((since, until),) = points([raw(times)], 0, 16, 2).gaps()
    assert since > times[2]
    assert times[3] - 2 < until <= times[3]


@pytest.mark.parametrize("step", [2, 4, 6])
def test_a_gap_is_as_long_as_the_silence_however_coarse_the_points(step):
    times = [at + 0.5 for at in (0, 2, 4, 18, 20, 22)]
    found = points([raw(times[:2]), raw(times[2:])], 0, 24, step)
    assert found.gaps() == [(6.5, 18.5)]


def test_what_lies_before_the_first_reading_is_no_gap():
    found = points([raw([50, 52])], 0, 60, 2)
    assert found.gaps() == []
    assert trace(found)[:25] == [None] * 25


def test_a_silence_that_goes_on_is_a_gap_once_it_is_more_than_a_delay():
    assert points([raw([0, 2, 4])], 0, 16, 2).gaps() == []
    assert points([raw([0, 2, 4])], 0, 60, 2).gaps() == [(6, 60)]
    assert points([], 0, 60, 2).gaps() == []


def test_a_rate_that_is_not_known_is_not_carried_on():
    found = points([raw([0, 2, 4], conns=[5, nan, 7])], 0, 6, 2)
    assert trace(found, "conns") == [5, None, 7]


def test_lowest_and_highest_go_with_the_mean():
    found = points([raw([0, 2, 4, 6], conns=[1, 9, 4, 4])], 0, 8, 4)
    conns = found.traces["conns"]
    assert (conns.mean, conns.low, conns.high) == ([5, 4], [1, 4], [9, 4])


def test_replies_that_pass_by_are_not_zero():
    times = [0, 2]
    assert not points([raw(times, out_packets=[nan, nan])], 0, 4, 2).sees_replies()
    assert points([raw(times, out_packets=[0, 0])], 0, 4, 2).sees_replies()
    assert points([], 0, 4, 2).sees_replies()  # nothing is known: nothing is said
    assert points([], 0, 4, 2).is_empty


def test_zeros_from_before_the_first_service_are_no_replies():
    times = [0, 2, 4, 6]
    none = raw(times, in_packets=[0, 0, 0, 0], out_packets=[0, 0, 0, 0])
    assert points([none], 0, 8, 2).sees_replies()
    then = raw(times, in_packets=[0, 0, 5, 5], out_packets=[0, 0, nan, nan])
    assert not points([then], 0, 8, 2).sees_replies()
    nat_before = raw(times, out_packets=[7, 7, nan, nan])
    assert points([nat_before], 0, 8, 2).sees_replies()


def test_two_directors_are_added_up_though_they_tick_at_different_moments():
    parts = [
        points([raw([0.1, 2.1, 4.1], active=[10, 20, 30])], 0, 6, 2),
        points([raw([1.3, 3.3], active=[1, 1])], 0, 6, 2),
    ]
    assert trace(summed(parts)) == [11, 21, 30]


def test_a_director_that_falls_silent_under_load_makes_the_sum_unknown():
    times = [2.0 * n for n in range(30)]
    standby = points([raw(times, **idle(30))], 0, 60, 2)
    early, late = times[:10], times[20:]
    busy = points([raw(early + late, active=[5] * 20)], 0, 60, 2)
    assert trace(summed([busy, standby])) == [5] * 10 + [None] * 10 + [5] * 10
    assert summed([standby, busy]).gaps() == [(20, 40)]
    # As soon as the other one carries something, that is what there is.
    takes_over = raw(times, **idle(30) | {"active": [0] * 15 + [7] * 15})
    both = summed([points([takes_over], 0, 60, 2), busy])
    assert trace(both) == [5] * 10 + [None] * 5 + [7] * 5 + [12] * 10


def test_a_director_that_has_only_begun_to_count_is_no_zero_beside_a_standby():
    times = [2.0 * n for n in range(6)]
    standby = points([raw(times, **idle(6))], 0, 12, 2)
    rates = [4, 4, nan, 4, 4, 4]
    busy = points(
        [raw(times, active=[5] * 6, conns=rates, out_packets=rates)], 0, 12, 2
    )
    both = summed([busy, standby])
    for name in ("conns", "out_packets"):
        assert trace(both, name) == [4, 4, None, 4, 4, 4]
    assert trace(both) == [5] * 6
    # What another one has counted is known.
    other = points([raw(times, conns=[3] * 6)], 0, 12, 2)
    assert trace(summed([busy, other]), "conns") == [7, 7, 3, 7, 7, 7]


def test_a_standby_that_falls_silent_takes_nothing_away():
    times = [2.0 * n for n in range(30)]
    busy = points([raw(times, active=[5] * 30)], 0, 60, 2)
    standby = points([raw(times[:10], **idle(10))], 0, 60, 2)
    assert trace(summed([busy, standby])) == [5] * 30
    assert standby.gaps() == [(20, 60)]


def test_raw_and_rolled_up_parts_of_one_step_make_one_point():
    block = Block(7, array("I", [0, 2000]), {"": raw([0, 2], conns=[2, 4]).columns})
    minutes = minutes_of(block, 0)
    rolled = Stretch(array("d", [0.0]), minutes.series[""])
    fresh = raw([60, 62], conns=[20, 6])
    (conns,) = (points([rolled, fresh], 0, 120, 120).traces["conns"],)
    assert (conns.mean, conns.low, conns.high) == ([8.0], [2.0], [20.0])


values = st.one_of(st.just(nan), st.floats(0, 1e6, width=32))


@given(
    st.lists(st.tuples(st.integers(0, 299_000), values), max_size=150),
    st.integers(0, 11),
)
def test_minutes_and_quarters_say_the_same_as_the_readings(readings, slot):
    """Lowest, highest, sum and count of a roll-up are those of its readings."""
    readings = sorted(dict(readings).items())
    axis = array("I", [at for at, _ in readings])
    column = array("f", [value for _, value in readings])
    block = Block(7, axis, {"": [column] * 7})
    minutes = minutes_of(block, slot * 300)
    for n, minute in enumerate(minutes.axis):
        begin = (minute * 60 - slot * 300) * 1000
        known = [v for at, v in readings if begin <= at < begin + 60_000 and v == v]
        check([column[n] for column in minutes.series[""][:4]], known)
    quarter = quarter_of(minutes, slot // 3, 0)
    if quarter is None:
        assert not readings
    else:
        assert list(quarter.axis) == [slot // 3]
        found = [column[0] for column in quarter.series[""][:4]]
        check(found, [v for _, v in readings if v == v])
    assert minutes.width == MINUTE.width


def check(statistics, known):
    low, high, total, count = statistics
    if not known:
        assert count != count
        return
    assert (low, high, count) == (min(known), max(known), len(known))
    assert abs(total - sum(known)) <= 1e-6 * sum(known) * len(known) + 1e-9


def test_a_standby_that_counts_no_replies_makes_none_of_those_that_are_not_seen():
    """Two directors, direct routing: what the active one cannot see is never a zero."""
    times = [0, 2, 4]
    active = points([raw(times, out_packets=[nan] * 3)], 0, 6, 2)
    standby = points([raw(times, **idle(3))], 0, 6, 2)
    assert trace(summed([active, standby]), "out_packets") == [None] * 3
    assert not summed([active, standby]).sees_replies()
    nat = points([raw(times, out_packets=[7.0] * 3)], 0, 6, 2)
    assert trace(summed([active, nat]), "out_packets") == [7.0] * 3
    assert trace(summed([standby, standby]), "out_packets") == [0.0] * 3
