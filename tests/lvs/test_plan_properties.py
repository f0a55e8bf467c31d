"""For any two valid tables: applying plan(a, b) to a gives b, and plan(b, b) is empty."""

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs import table_plan
from cluster.lvs.rules import parse, render
from cluster.lvs.table import RealServer, ServiceAddress, Table, VirtualService
from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler
from tests.model_host import apply_rule

addresses = st.integers(0x0A000101, 0x0A000108).map(IPv4Address)
ports = st.sampled_from([53, 80, 443])
servers = st.builds(
    RealServer,
    addresses,
    ports,
    st.sampled_from(ForwardingMethod),
    st.integers(0, 65535),
    st.sampled_from([0, 100]),
)
keys = st.builds(ServiceAddress.of, st.sampled_from(Protocol), addresses, ports)
lasting = st.sampled_from([(0, None), (60, None), (300, 24)])
flags = st.sampled_from([(), ("sh-port",), ("sh-fallback", "sh-port")])
services = st.builds(
    lambda at, scheduler, servers, lasting, flags, *, one_packet: VirtualService(
        at, scheduler, servers, *lasting, flags, one_packet=one_packet
    ),
    keys,
    st.sampled_from(Scheduler),
    st.lists(servers, max_size=4, unique_by=lambda s: s.sort_key).map(tuple),
    lasting,
    flags,
    one_packet=st.booleans(),
)
tables = st.lists(services, max_size=5, unique_by=lambda s: s.at.sort_key).map(
    lambda found: Table(tuple(found))
)


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
