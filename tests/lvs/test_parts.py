"""A plan in lines: each is right by itself, and all of them together are the plan."""

import pytest
from hypothesis import given

from cluster.lvs import table_plan
from cluster.lvs.parts import Scope, key, merged, narrowed, parts
from cluster.lvs.plan import plan
from cluster.lvs.wish import host_wishes
from tests.build import (
    NAMES,
    WEB1,
    WEB2,
    director,
    real_server,
    server,
    service,
    table,
    wish,
)
from tests.lvs.test_plan_properties import carried_out, tables
from tests.model_table import apply_rule

ADD_BOTH = (
    "-A -t 10.0.1.31:80 -s rr",
    "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1",
    "-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1",
)
CASES = {
    "a service that is missing is one line with its servers": (
        table(),
        table(service(), service(port=443)),
        [(ADD_BOTH, ("-D -t 10.0.1.31:80",)), ...],
    ),
    "a service that goes is one line, its undo has everything": (
        table(service()),
        table(),
        [(("-D -t 10.0.1.31:80",), ADD_BOTH)],
    ),
    "servers are lines of their own": (
        table(service(servers=(server(WEB1, weight=5), server("10.0.1.7")))),
        table(service()),
        [
            (
                ("-e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1",),
                ("-e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 5",),
            ),
            (
                ("-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1",),
                ("-d -t 10.0.1.31:80 -r 10.0.1.9:80",),
            ),
            (
                ("-d -t 10.0.1.31:80 -r 10.0.1.7:80",),
                ("-a -t 10.0.1.31:80 -r 10.0.1.7:80 -g -w 1",),
            ),
        ],
    ),
    "so are the options of a service": (
        table(service(persistence=300)),
        table(service()),
        [(("-E -t 10.0.1.31:80 -s rr",), ("-E -t 10.0.1.31:80 -s rr -p 300",))],
    ),
}


def lines_of(command):
    return tuple(command.stdin.decode().splitlines())


def changes(before, wanted):
    ours = [one.at for one in before.services]
    return table_plan.changes("lb01", before, wanted, ours, NAMES)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_lines(case):
    before, wanted, expected = case
    found = [part for change in changes(before, wanted) for part in parts(change)]
    told = [(lines_of(p.command), lines_of(p.undo)) for p in found]
    if expected[-1] is ...:
        told, expected = told[: len(expected) - 1], expected[:-1]
    assert told == expected


@given(tables, tables)
def test_all_lines_together_are_the_plan(before, wanted):
    for change in changes(before, wanted):
        assert merged(parts(change)) == change


@given(tables, tables)
def test_each_line_can_be_sent_alone_and_taken_back(before, wanted):
    for change in changes(before, wanted):
        for part in parts(change):
            after = carried_out(before, [part])
            assert after != before
            for rule in lines_of(part.undo):
                after = apply_rule(after, rule)
            assert after == before


@given(tables, tables)
def test_keys_tell_lines_apart(before, wanted):
    found = [key(part) for change in changes(before, wanted) for part in parts(change)]
    assert len(found) == len(set(found))


def whole_plan():
    wanted = wish(service(), service("10.0.1.32"))
    states = {"lb01": director(), "web1": real_server(), "web2": real_server(WEB2)}
    return plan(states, host_wishes(wanted, states), {}, NAMES)


def test_an_empty_scope_is_the_whole_plan():
    assert narrowed(whole_plan(), Scope()) == whole_plan()


def test_a_host_alone():
    found = narrowed(whole_plan(), Scope(hosts=("web1",)))
    assert found.hosts == ["web1"]
    everything = [c for c in whole_plan().changes if c.host == "web1"]
    assert list(found.changes) == everything


def test_a_vip_brings_its_check_and_its_announcement_and_no_others():
    binding = next(c for c in whole_plan().changes if "eth0:2" in c.command.argv)
    found = narrowed(whole_plan(), Scope(keys=(key(binding),)))
    assert [c.command.argv[0] for c in found.changes] == ["arping", "ip", "arping"]
    assert all("10.0.1.32" in c.command.line for c in found.changes)


def test_a_line_that_is_no_more_leaves_an_empty_plan():
    assert narrowed(whole_plan(), Scope(keys=("gone",))).changes == ()


def test_a_scope_is_kept_as_json():
    for scope in (Scope(), Scope(("web1",)), Scope(keys=("a", "b"))):
        assert Scope.from_json(scope.as_json()) == scope
