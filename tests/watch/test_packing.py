import struct
import zlib
from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.kernel_table import KernelServer, KernelService
from cluster.lvs.rates import Rates
from cluster.watch.packing import HOSTS, TOTAL, boot_of, names_of, pack, row, series_of
from tests.watch.build import KEY, sample

WEB1, WEB2 = (KEY, "10.0.1.6:80"), (KEY, "10.0.1.9:80")
NOBODY = ("TCP 10.0.1.99:80", "")


def same(found, wanted):
    return found == pytest.approx(wanted, rel=1e-6, nan_ok=True)


def service(*servers, key=KEY):
    return KernelService(key, "rr", False, servers)


def nat(at="10.0.1.6:80", active=3):
    return KernelServer(at, "Masq", 1, active, 2)


def test_what_was_packed_comes_back():
    data = pack(sample())
    assert same(row(data, TOTAL), (4.0, 24.0, nan, 1440.0, nan, 3, 101))
    assert same(row(data, (KEY, "")), (4.0, 24.0, nan, 1440.0, nan, 3, 101))
    assert same(row(data, WEB1), (4.0, 24.0, nan, 1440.0, nan, 2, 71))
    assert row(data, NOBODY) is None


def test_a_rate_that_is_not_known_stays_unknown():
    found = row(pack(sample()), WEB2)
    assert all(map(isnan, found[:5]))
    assert found[5:] == (1, 30)


def test_replies_are_known_where_the_director_forwards_them():
    rates = Rates(1.0, 2.0, 3.0, 4.0, 5.0)
    key = f"{KEY} 10.0.1.6:80"
    mixed = service(nat(), KernelServer("10.0.1.9:80", "Tunnel", 1, 0, 0))
    data = pack(sample(services=(mixed,), rates=dict.fromkeys((key, KEY, ""), rates)))
    assert row(data, WEB1)[:5] == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert row(data, (KEY, ""))[2] == 3.0
    assert row(data, TOTAL)[2] == 3.0
    assert isnan(row(data, WEB2)[2])


def test_a_real_server_is_added_up_over_its_services():
    other = "UDP 10.0.1.31:53"
    services = (service(nat()), service(nat("10.0.1.6:53", 4), key=other))
    rates = {
        f"{KEY} 10.0.1.6:80": Rates(1.0, 2.0, 3.0, 4.0, 5.0),
        f"{other} 10.0.1.6:53": Rates(10.0, 20.0, 30.0, 40.0, 50.0),
    }
    data = pack(sample(services=services, rates=rates))
    assert row(data, (HOSTS, "10.0.1.6")) == (11.0, 22.0, 33.0, 44.0, 55.0, 7, 4)
    assert list(names_of(data, HOSTS)) == ["10.0.1.6"]
    assert list(names_of(data, KEY)) == ["", "10.0.1.6:80"]


def test_a_director_without_a_table():
    data = pack(sample(services=(), rates={}, loaded=False))
    assert row(data, TOTAL)[5:] == (0, 0)
    assert names_of(data, HOSTS) == {}


@pytest.mark.parametrize(
    ("key", "series"),
    [
        ("TCP 10.0.1.31:80", ("TCP 10.0.1.31:80", "")),
        ("TCP 10.0.1.31:80 10.0.1.6:80", ("TCP 10.0.1.31:80", "10.0.1.6:80")),
        ("UDP [2001:db8::1]:53", ("UDP [2001:db8::1]:53", "")),
        ("UDP [2001:db8::1]:53 [::9]:5", ("UDP [2001:db8::1]:53", "[::9]:5")),
        ("FWM 7", ("FWM 7", "")),
        ("FWM 7 10.0.1.6:0", ("FWM 7", "10.0.1.6:0")),
        ("FWM 7 IPv6", ("FWM 7 IPv6", "")),
        ("FWM 7 IPv6 [::9]:0", ("FWM 7 IPv6", "[::9]:0")),
    ],
)
def test_the_series_of_a_row(key, series):
    assert series_of(key) == series


def test_what_an_older_version_has_packed_is_still_read():
    keys = zlib.compress(f"{KEY}\n{KEY} 10.0.1.6:80".encode())
    numbers = struct.pack("<21f", *range(21))
    data = struct.pack("<BII", 2, 77, len(keys)) + keys + numbers
    assert boot_of(data) == 77
    assert row(data, TOTAL) == tuple(range(7))
    assert row(data, WEB1) == tuple(range(14, 21))
    assert list(names_of(data, HOSTS)) == ["10.0.1.6"]


def test_a_boot_gives_another_number():
    numbers = {boot_of(pack(sample(boot_id=boot))) for boot in ("one", "two", "two")}
    assert len(numbers) == 2


@given(
    st.lists(
        st.tuples(*[st.floats(0, 2.0**40, width=32)] * 5, st.integers(0, 2**24)),
        min_size=1,
        max_size=20,
    )
)
def test_any_number_comes_back(numbers):
    servers = [nat(f"10.0.2.{n}:80", numbers[n][5]) for n in range(len(numbers))]
    rates = {
        f"{KEY} {server.at}": Rates(*five[:5])
        for server, five in zip(servers, numbers, strict=True)
    }
    data = pack(sample(services=(service(*servers),), rates=rates))
    for server, values in zip(servers, numbers, strict=True):
        assert row(data, (KEY, server.at)) == (*values, 2)


@pytest.mark.parametrize(
    "data", [b"", b"\x01abc", b"\x02" + bytes(8) + b"abc", b"\x03" + bytes(8) + b"abc"]
)
def test_what_we_did_not_write_is_refused(data):
    with pytest.raises(ValueError, match="not a packed reading"):
        row(data, TOTAL)
