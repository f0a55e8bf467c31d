import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import KernelServer, KernelService
from cluster.watch.packing import VERSION, PackedRow, pack, unpack, unpack_row
from cluster.watch.sample import TOTAL
from tests.watch.build import KEY, WEB1, WEB2, counted, sample

big = st.integers(min_value=0, max_value=2**62)


def test_what_was_packed_comes_back():
    rows = unpack(pack(sample(conns=120)))
    assert rows == {
        TOTAL: PackedRow(counted(147), 3, 101, None),
        KEY: PackedRow(counted(120), 3, 101, None),
        WEB1: PackedRow(counted(60), 2, 71, 3),
        WEB2: PackedRow(counted(60), 1, 30, 1),
    }


def test_one_row_can_be_taken_out():
    data = pack(sample())
    assert unpack_row(data, WEB2) == unpack(data)[WEB2]
    assert unpack_row(data, "TCP 10.0.1.99:80") is None


def test_unknown_counters_stay_unknown():
    data = pack(sample(counters={}, totals=None))
    assert unpack_row(data, WEB1) == PackedRow(None, 2, 71, 3)
    assert unpack_row(data, TOTAL).counters is None


@given(st.lists(st.tuples(big, big, big, big, big), min_size=1, max_size=20))
def test_any_number_comes_back(numbers):
    servers = tuple(
        KernelServer(f"10.0.2.{i}:80", "Masq", i, i, i) for i in range(len(numbers))
    )
    counters = {
        f"{KEY} {server.at}": Counters(*five)
        for server, five in zip(servers, numbers, strict=True)
    }
    service = KernelService(KEY, "rr", False, servers)
    rows = unpack(pack(sample(services=(service,), counters=counters)))
    assert {key: rows[key].counters for key in counters} == counters


def test_a_row_is_small():
    assert len(pack(sample())) < 200


@pytest.mark.parametrize("data", [b"", b"\x02abc", VERSION + b"abc"])
def test_what_we_did_not_write_is_refused(data):
    with pytest.raises(ValueError, match="not a packed reading"):
        unpack(data)
