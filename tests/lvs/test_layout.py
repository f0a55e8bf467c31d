"""The rows of a table: their order, their keys, and whose replies are seen."""

import pytest

from cluster.lvs.kernel_table import KernelServer, KernelService
from cluster.lvs.layout import Layout, TableColumns, unpacked

WEB, DNS, MARK = "TCP 10.0.1.31:80", "UDP [2001:db8::1]:53", "FWM 7"


def server(at, forward="Route", active=0):
    return KernelServer(at, forward, 1, active, 10 * active)


def service(key, *servers):
    return KernelService(key, "wlc", key == DNS, servers)


SERVICES = (
    service(WEB, server("10.0.1.6:80", active=2), server("10.0.1.9:80", active=3)),
    service(MARK),
    service(DNS, server("[2001:db8::6]:53", "Masq", 4)),
)


def test_services_come_first_and_then_their_real_servers():
    table = TableColumns.of(SERVICES)
    assert table.layout.keys() == (
        *(WEB, MARK, DNS),
        *(f"{WEB} 10.0.1.6:80", f"{WEB} 10.0.1.9:80", f"{DNS} [2001:db8::6]:53"),
    )
    assert list(table.active) == [5, 0, 4, 2, 3, 4]
    assert list(table.inactive) == [50, 0, 40, 20, 30, 40]
    assert (table.all_active, table.all_inactive) == (9, 90)
    assert table.services == SERVICES


@pytest.mark.parametrize("services", [(), SERVICES, SERVICES[1:2], SERVICES * 2])
def test_a_layout_comes_back(services):
    layout = Layout.of(services)
    assert unpacked(layout.packed) == layout


@pytest.mark.parametrize("data", [b"", b"abc", Layout.of(SERVICES).packed[:-9]])
def test_what_is_no_layout_is_refused(data):
    with pytest.raises(ValueError, match="not a layout"):
        unpacked(data)


@pytest.mark.parametrize(
    ("services", "blind", "sees"),
    [
        ((), (), True),
        (SERVICES, (0, 3, 4), True),
        (SERVICES[:1], (0, 1, 2), False),
        (SERVICES[1:2], (), True),  # nobody yet whose replies could be missed
        ((service(WEB, server("a:1"), server("b:1", "Masq")),), (1,), True),
    ],
)
def test_whose_replies_pass_the_director_by(services, blind, sees):
    layout = Layout.of(services)
    assert (tuple(layout.blind), layout.sees_replies) == (blind, sees)
