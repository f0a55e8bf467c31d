import json

import pytest

from cluster.lvs.rates import WINDOW
from cluster.watch.document import decode, encode
from cluster.watch.sample import Sampler
from tests.lvs.samples import sample as text_of
from tests.watch.build import KEY, WEB1, moment, sections


def test_a_frame_of_a_real_director():
    sampler = Sampler()
    first = sampler.take(sections(), moment(0), 100.0)
    assert [service.key for service in first.table.services] == [KEY]
    assert first.counters[KEY].conns == 120
    assert first.counters[WEB1].in_bytes == 32477
    assert first.total_rates is None
    assert "10.0.1.31" in first.about.addresses
    assert first.table.all_active == 3
    second = sampler.take(sections(), moment(2), 102.0)
    assert second.rates[KEY].conns == 0.0
    json.dumps(decode(encode(second)))


def test_equal_bytes_are_not_parsed_again():
    sampler = Sampler()
    first = sampler.take(sections(), moment(0), 100.0)
    second = sampler.take(sections(), moment(2), 102.0)
    assert second.table is first.table
    assert second.columns is first.columns


def test_between_two_listings_counters_and_their_age_stay():
    sampler = Sampler()
    sampler.take(sections(), moment(0), 100.0)
    later = sampler.take(sections(stats=None, addresses=None), moment(2), 102.0)
    assert later.counters[KEY].conns == 120
    assert later.counted_at == 100.0
    assert "10.0.1.31" in later.about.addresses


def test_counters_that_still_hold_are_of_this_moment():
    sampler = Sampler()
    sampler.take(sections(stats_number=4), moment(0), 100.0)
    resting = sections(stats=None, status=None, at_rest=4)
    for second in range(2, 32, 2):
        later = sampler.take(resting, moment(second), 100.0 + second)
    assert later.counted_at == 130.0
    assert later.rates[KEY].conns == 0.0
    moved = text_of("ipvsadm-Ln--stats--exact").replace(" 120 ", " 140 ").encode()
    busy = sampler.take(sections(stats=moved, stats_number=20), moment(32), 132.0)
    assert busy.rates[KEY].conns == 20 / (2 * WINDOW)  # not in 32 s


def test_a_director_at_rest_is_what_it_was_when_it_came_to_rest():
    sampler = Sampler()
    first = sampler.take(sections(stats_number=4), moment(0), 100.0)
    resting = sections(table=None, total=None, stats=None, status=None, at_rest=4)
    later = sampler.take(resting, moment(2), 102.0)
    assert (later.table, later.columns) == (first.table, first.columns)
    assert later.totals == first.totals
    assert (later.at, later.counted_at) == (102.0, 102.0)
    assert later.total_rates == (0.0,) * 5
    assert later.about.loaded


@pytest.mark.parametrize("heard", [True, False], ids=["another", "none"])
def test_a_director_that_came_to_rest_unheard_is_not_known(heard):
    sampler = Sampler()
    if heard:
        sampler.take(sections(stats_number=4), moment(0), 100.0)
    resting = sections(table=None, total=None, stats=None, status=None, at_rest=5)
    with pytest.raises(ValueError, match="number 5, which holds, has not come"):
        sampler.take(resting, moment(2), 102.0)


def test_counters_that_were_never_heard_do_not_hold():
    sampler = Sampler()
    sampler.take(sections(stats_number=4), moment(0), 100.0)
    missed = sections(stats=None, status=None, at_rest=5)
    assert sampler.take(missed, moment(2), 102.0).counted_at == 100.0


def test_a_row_that_left_the_table_takes_its_counters_along():
    sampler = Sampler()
    sampler.take(sections(), moment(0), 100.0)
    lines = text_of("proc-net-ip_vs").splitlines(keepends=True)
    without = "".join(line for line in lines if "0A000106" not in line).encode()
    gone = sampler.take(sections(table=without, stats=None), moment(2), 102.0)
    assert WEB1 not in gone.counters
    back = sampler.take(sections(), moment(4), 104.0)
    assert back.rates[WEB1] is None  # it may be another one with the same address
    assert back.rates[KEY] is not None


def test_without_ip_vs_there_is_nothing_to_count():
    sampler = Sampler()
    sampler.take(sections(), moment(0), 100.0)
    empty = sampler.take(
        sections(table=None, total=None, stats=None, status=None), moment(2), 102.0
    )
    assert not empty.about.loaded
    assert empty.table.services == ()
    assert decode(encode(empty))["totals"] is None


def test_what_ipvsadm_complains_of_is_told_and_no_old_number_is_kept():
    sampler = Sampler()
    sampler.take(sections(), moment(0), 100.0)
    refused = sections(status=1, stats=b"sudo: a password is required\n")
    sample = sampler.take(refused, moment(2), 102.0)
    assert sample.error == "sudo: a password is required"
    assert sample.counters == {}
    again = sampler.take(sections(), moment(4), 104.0)
    assert again.error == ""
    assert again.counters[KEY].conns == 120


def test_a_broken_frame_is_refused_as_a_whole():
    with pytest.raises(ValueError, match="no totals"):
        Sampler().take(sections(total=b"half a"), moment(0), 100.0)


def test_addresses_that_cannot_be_read_are_no_addresses():
    sample = Sampler().take(sections(addresses=b"sh: ip: not found"), moment(0), 1.0)
    assert sample.about.addresses == ()
