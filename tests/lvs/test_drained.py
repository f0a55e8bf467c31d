"""What a drain means for the table, and the floor that it must keep."""

from fractions import Fraction
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.drained import Other, aimed, is_aimed, records, rooms, weight_of
from cluster.lvs.table import Table
from tests.build import WEB1, WEB2, at, server, service, table
from tests.lvs.test_plan_properties import tables

WEB3 = "10.0.1.12"


def web(*weights, port=80):
    servers = [
        server(address, port, weight=weight)
        for address, weight in zip((WEB1, WEB2, WEB3), weights, strict=False)
    ]
    return service(port=port, servers=servers)


def mine(of, address=WEB1, only=()):
    return records(of, ip_address(address), only)


def test_records_are_one_server_in_some_or_all_services():
    both = table(web(3, 1), web(2, 1, port=443))
    assert [s.weight for v in mine(both).services for s in v.servers] == [3, 2]
    only = mine(both, only=[at(port=443)])
    assert [v.at for v in only.services] == [at(port=443)]
    assert mine(both, WEB3) == Table()


@pytest.mark.parametrize(
    ("weight", "aim", "found"),
    [
        (100, Fraction(0), 0),
        (100, Fraction(1, 5), 20),
        (1, Fraction(1, 5), 1),
        (3, Fraction(1, 3), 1),
        (3, Fraction(1), 3),
        (0, Fraction(1), 0),
    ],
)
def test_a_part_of_a_weight(weight, aim, found):
    assert weight_of(server(weight=weight), aim) == found


def test_out_and_back():
    whole = table(web(3, 1), web(2, 1, port=443))
    kept = mine(whole, only=[at()])
    quiet = aimed(whole, kept, Fraction(0))
    assert quiet == table(web(0, 1), web(2, 1, port=443))
    gone = aimed(quiet, kept, None)
    assert [s.endpoint for s in gone.by_address[at()].servers] == [f"{WEB2}:80"]
    assert gone.by_address[at(port=443)] == web(2, 1, port=443)
    assert aimed(gone, kept, Fraction(1)) == whole


def test_what_was_edited_meanwhile_stays():
    whole = table(web(3, 1))
    kept = mine(whole)
    edited = table(service(servers=[server(WEB1, weight=0, upper=9), server(WEB2)]))
    back = aimed(edited, kept, Fraction(1))
    assert back.by_address[at()].servers[0] == server(WEB1, weight=3, upper=9)


def test_a_service_that_was_deleted_meanwhile_does_not_come_back():
    kept = mine(table(web(3, 1), web(2, 1, port=443)))
    assert aimed(table(web(0, 1)), kept, Fraction(1)) == table(web(3, 1))


@given(tables, st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(1), None]))
def test_nothing_else_is_moved(whole, aim):
    addresses = {s.address for v in whole.services for s in v.servers}
    for address in addresses:
        kept = records(whole, address)
        there = aimed(whole, kept, aim)
        assert is_aimed(there, kept, aim)
        assert aimed(there, kept, Fraction(1)) == whole
        for before, after in zip(whole.services, there.services, strict=True):
            assert before.alone == after.alone
            others = [s for s in after.servers if s.address != address]
            assert others == [s for s in before.servers if s.address != address]


def room(whole, address=WEB1, others=(), floor=50):
    (found,) = rooms(whole, mine(whole, address), others, floor)
    return found


def test_half_may_go_where_the_floor_is_half():
    assert room(table(web(1, 1))).trouble is None
    assert room(table(web(1, 1))).percent == 50
    said = str(room(table(web(2, 1))).trouble)
    assert "would keep 1 of 3 weight (33 %); its floor is 50 %" in said
    assert room(table(web(2, 1)), floor=33).trouble is None


@pytest.mark.parametrize("weights", [(1,), (1, 0), (5, 0, 0)])
def test_the_last_one_never_goes(weights):
    said = str(room(table(web(*weights)), floor=0).trouble)
    assert "no real server left that takes new connections" in said


def test_who_is_out_already_counts_for_the_whole_but_not_for_what_is_left():
    whole = table(web(1, 1, 1))
    other = mine(whole)
    for now in (aimed(whole, other, Fraction(0)), aimed(whole, other, None)):
        found = room(now, WEB2, [Other(other, is_away=True)])
        assert (found.left, found.total) == (1, 3)
        assert found.trouble
        assert room(now, WEB2, [Other(other, is_away=True)], floor=33).trouble is None


def test_two_that_start_together_do_not_both_count_on_each_other():
    whole = table(web(1, 1))
    assert room(whole, WEB2, [Other(mine(whole), is_away=True)], floor=0).trouble
    assert room(whole, WEB2, [Other(mine(whole), is_away=False)]).trouble is None


def test_one_that_is_rising_counts_with_what_it_has():
    whole = table(web(10, 10))
    rising = aimed(whole, mine(whole), Fraction(1, 5))
    found = room(rising, WEB2, [Other(mine(whole), is_away=False)])
    assert (found.left, found.total) == (2, 20)


def test_a_server_without_weight_is_no_loss():
    whole = table(web(0, 1))
    assert rooms(whole, mine(whole), [], 100) == []
