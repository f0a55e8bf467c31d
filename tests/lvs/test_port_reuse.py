import pytest

from cluster.lvs.port_reuse import KEY, MODE, loses, should_set, with_reuse
from cluster.lvs.settings import Settings
from cluster.lvs.table import Table
from cluster.lvs.terms import ForwardingMethod
from tests.build import server, service, table

DR = table(service())
NAT = table(service(servers=[server(method=ForwardingMethod.NAT)]))
ONCE = Settings(sysctls=((MODE, "1"),))


@pytest.mark.parametrize(
    ("one", "wished", "now", "sets"),
    [
        (DR, Settings(), {KEY: "1"}, True),
        (DR, Settings(), {KEY: "0"}, True),
        (DR, Settings(), {KEY: "2"}, False),
        (DR, Settings(), {KEY: "3"}, False),
        (DR, Settings(), {}, False),  # an old kernel, or never looked at
        (DR, ONCE, {KEY: "1"}, False),  # somebody has decided
        (NAT, Settings(), {KEY: "1"}, False),
        (Table(), Settings(), {KEY: "1"}, False),
    ],
)
def test_it_is_set_where_connections_would_be_lost(one, wished, now, sets):
    assert should_set(one, wished, now) is sets


def test_what_else_is_set_stays():
    before = Settings(sysctls=(("expire_nodest_conn", "1"),))
    after = with_reuse(before)
    assert dict(after.sysctls) == {"expire_nodest_conn": "1", MODE: "2"}
    assert not loses(DR, dict(after.by_key()))
