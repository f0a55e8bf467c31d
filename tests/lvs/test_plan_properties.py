"""For any two valid tables: applying plan(a, b) to a gives b, and plan(b, b) is empty."""

from hypothesis import given

from cluster.lvs import table_plan
from cluster.lvs.rules import parse, render
from cluster.lvs.table import Table
from tests.model_table import apply_rule
from tests.tables import tables


def carried_out(before, changes, check=None):
    for change in changes:
        for line in change.command.stdin.decode().splitlines():
            after = apply_rule(before, line)
            assert after is not None, line
            if check:
                check(before, after)
            before = after
    return before


@given(tables, tables)
def test_applying_the_plan_gives_the_wish(before, wanted):
    ours = [service.at for service in before.services]
    changes = table_plan.changes("lb01", before, wanted, ours, {})
    after = carried_out(before, changes)
    assert after == wanted
    assert table_plan.changes("lb01", after, wanted, ours, {}) == []


@given(tables, tables)
def test_undoing_every_change_in_reverse_gives_the_table_from_before(before, wanted):
    ours = [service.at for service in before.services]
    changes = table_plan.changes("lb01", before, wanted, ours, {})
    after = carried_out(before, changes)
    for change in reversed(changes):
        for line in change.undo.stdin.decode().splitlines():
            after = apply_rule(after, line)
            assert after is not None, line
    assert after == before


@given(tables, tables)
def test_no_service_is_without_servers_on_the_way(before, wanted):
    ours = [service.at for service in before.services]
    changes = table_plan.changes("lb01", before, wanted, ours, {})
    kept = {s.at for s in before.services if s.servers and _servers(wanted, s.at)}

    def check(_before, after):
        for key in kept:
            assert _servers(after, key), key

    carried_out(before, changes, check)


def _servers(table, key):
    service = table.by_address.get(key)
    return service.servers if service else ()


@given(tables)
def test_nothing_that_is_not_ours_is_deleted(before):
    changes = table_plan.changes("lb01", before, Table(), [], {})
    assert changes == []


@given(tables)
def test_rules_are_read_as_they_were_written(wanted):
    assert parse(render(wanted)) == wanted
