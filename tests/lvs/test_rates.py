from array import array
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.columns import COLUMNS, UNKNOWN, Picks
from cluster.lvs.counters import Counters
from cluster.lvs.rates import Meter, Moment, Rates, TotalMeter, seconds_between

number = st.integers(min_value=0, max_value=2**63)
counters = st.builds(Counters, number, number, number, number, number)
samples = st.lists(
    st.tuples(
        st.floats(min_value=-5, max_value=30),  # the director's clock may jump
        st.sampled_from(["boot-1", "boot-2"]),
        st.dictionaries(st.sampled_from("abc"), counters, max_size=3),
    ),
    max_size=12,
)


class ByName:
    """A meter of rows by name, any of which may come and go."""

    def __init__(self):
        self.meter, self.names = Meter(), ()

    def keep(self, names):
        names = tuple(names)
        self.meter.move(Picks(names, self.names))
        self.names = names

    def add(self, at, boot_id, rows):
        if tuple(rows) != self.names:
            self.keep(rows)
        columns = tuple(
            array("Q", [row[n] for row in rows.values()]) for n in range(COLUMNS)
        )
        rates = self.meter.add(at, boot_id, columns)
        found = zip(rows, zip(*rates, strict=True), strict=True)
        return {k: None if isnan(five[0]) else Rates(*five) for k, five in found}


def fields(rates: Rates):
    return [
        rates.conns,
        rates.in_packets,
        rates.out_packets,
        rates.in_bytes,
        rates.out_bytes,
    ]


def c(conns: int) -> Counters:
    return Counters(conns, 5 * conns, 0, 300 * conns, 0)


def at(seconds: float) -> Moment:
    return Moment(1000 + seconds, seconds)


@given(samples)
def test_no_rate_is_ever_negative_and_each_row_has_one_or_none(steps):
    meter, there, here = ByName(), 0.0, 0.0
    for step, boot, rows in steps:
        there, here = there + step, here + abs(step)
        rates = meter.add(Moment(there, here), boot, rows)
        assert rates.keys() == rows.keys()
        for rate in rates.values():
            assert rate is None or min(fields(rate)) >= 0


def test_the_first_sample_has_no_rate_and_the_second_has():
    meter = ByName()
    assert meter.add(at(0), "b", {"row": c(10)}) == {"row": None}
    assert meter.add(at(2), "b", {"row": c(16)})["row"].conns == 3.0


def test_a_rate_is_taken_over_two_periods():
    # The kernel refreshes its counters every 2 s: sometimes twice between two samples.
    meter = ByName()
    counts = [0, 10, 10, 30, 40, 40]
    rates = [
        meter.add(at(2 * i), "b", {"row": c(n)})["row"] for i, n in enumerate(counts)
    ]
    assert [rate and rate.conns for rate in rates] == [None, 5.0, 2.5, 5.0, 7.5, 2.5]


def test_zeroed_counters_make_a_gap_not_a_spike():
    meter = ByName()
    for i, n in enumerate([1_000_000, 1_000_010]):
        meter.add(at(2 * i), "b", {"row": c(n)})
    assert meter.add(at(4), "b", {"row": c(2)}) == {"row": None}
    assert meter.add(at(6), "b", {"row": c(12)})["row"].conns == 5.0


def test_a_reboot_is_noticed_even_when_counters_have_grown():
    meter = ByName()
    meter.add(at(0), "boot-1", {"row": c(10)})
    assert meter.add(at(2), "boot-2", {"row": c(500)}) == {"row": None}


def test_a_row_that_was_away_starts_again():
    meter = ByName()
    meter.add(at(0), "b", {"row": c(10)})
    meter.add(at(2), "b", {})
    assert meter.add(at(4), "b", {"row": c(5000)}) == {"row": None}


def test_a_row_without_counters_has_no_rate_and_starts_when_it_has_some():
    meter, missing = Meter(), (1,)
    columns = [
        tuple(array("Q", [10 * n, other]) for _ in range(COLUMNS))
        for n, other in enumerate((UNKNOWN, UNKNOWN, 500, 504))
    ]
    meter.add(at(0), "b", columns[0], missing)
    rates = meter.add(at(2), "b", columns[1], missing)[0]
    assert (rates[0], isnan(rates[1])) == (5.0, True)
    rates = meter.add(at(4), "b", columns[2])[0]
    assert (rates[0], isnan(rates[1])) == (5.0, True)
    assert list(meter.add(at(6), "b", columns[3])[0]) == [5.0, 2.0]


def test_a_row_that_is_forgotten_starts_again_while_others_go_on():
    meter = ByName()
    meter.add(at(0), "b", {"gone": c(10), "stays": c(10)})
    meter.keep(["stays"])
    rates = meter.add(at(2), "b", {"gone": c(5000), "stays": c(20)})
    assert rates["gone"] is None
    assert rates["stays"].conns == 5.0


def test_the_rates_of_the_whole():
    meter = TotalMeter()
    counts = [0, 10, 10, 30, 12, 18]
    rates = [meter.add(at(2 * i), "b", c(n)) for i, n in enumerate(counts)]
    conns = [rate and rate.conns for rate in rates]
    # Zeroed between 30 and 12.
    assert conns == [None, 5.0, 2.5, 5.0, None, 3.0]
    assert rates[-1].in_bytes == 900.0


def test_one_counter_that_starts_again_is_no_rate_of_the_whole():
    meter = TotalMeter()
    meter.add(at(0), "b", c(10))
    assert meter.add(at(2), "b", c(20)._replace(in_packets=49)) is None


@pytest.mark.parametrize(("seconds", "boot"), [(2, "boot-2"), (3602, "boot-1")])
def test_neither_a_boot_nor_another_clock_is_a_rate_of_the_whole(seconds, boot):
    meter = TotalMeter()
    meter.add(at(0), "boot-1", c(10))
    assert meter.add(Moment(1000 + seconds, 2), boot, c(500)) is None


@pytest.mark.parametrize(
    ("there", "here", "seconds"),
    [
        (2.0, 2.0, 2.0),
        (2.0, 2.9, 2.0),  # the frame was late, the director was not
        (0.0, 2.0, None),
        (-3600.0, 2.0, None),  # its clock was set back
        (3602.0, 2.0, None),  # ... and forward
    ],
)
def test_the_directors_clock_is_believed_as_far_as_ours_agrees(there, here, seconds):
    assert seconds_between(Moment(0, 0), Moment(there, here)) == seconds
