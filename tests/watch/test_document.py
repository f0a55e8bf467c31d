import struct
from array import array
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import KernelServer, KernelService, row_key
from cluster.lvs.rates import Rates
from cluster.watch.document import decode, decode_sparks, encode, encode_sparks
from cluster.watch.sample import TOTAL
from cluster.watch.sparks import WHOLE, Points
from tests.watch.build import sample

numbers = st.integers(0, 2**63)
counts = st.integers(0, 2**29)
rates = st.floats(0, 2**40, width=32)
servers = st.builds(
    KernelServer,
    st.sampled_from(["10.0.1.6:80", "[2001:db8::6]:80", "10.0.1.9:53"]),
    st.sampled_from(["Route", "Masq", "Tunnel", "Local"]),
    counts,
    counts,
    counts,
)
keys = st.sampled_from(["TCP 10.0.1.31:80", "FWM 7", "UDP [2001:db8::1]:53"])
services = st.builds(
    KernelService,
    keys,
    st.sampled_from(["wlc", "rr"]),
    st.booleans(),
    st.lists(servers, max_size=4).map(tuple),
)
rows = st.one_of(keys, keys.map(lambda key: f"{key} 10.0.1.6:80"))


@given(
    st.lists(services, max_size=3, unique_by=lambda one: one.key).map(tuple),
    st.dictionaries(rows, st.builds(Counters, *[numbers] * 5)),
    st.dictionaries(
        st.one_of(rows, st.just(TOTAL)),
        st.one_of(st.none(), st.builds(Rates, *[rates] * 5)),
    ),
)
def test_what_is_read_is_what_was_written(services, counters, rates):
    found = decode(encode(sample(services=services, counters=counters, rates=rates)))
    assert found["totals"] == sample().totals
    assert found["addresses"] == list(sample().about.addresses)
    assert found["active"] == sum(service.active for service in services)
    for service, read in zip(services, found["services"], strict=True):
        assert read.pop("servers") == [
            numbers_of(row_key(service.key, server.at), counters, rates)
            | server._asdict()
            for server in service.servers
        ]
        assert read == numbers_of(service.key, counters, rates) | {
            "key": service.key,
            "scheduler": service.scheduler,
            "persistent": service.persistent,
        }


def numbers_of(key, counters, rates):
    five, speeds = counters.get(key), rates.get(key)
    return {"counters": five, "rates": speeds}


def test_what_is_not_known_is_none():
    one = sample(totals=None, rates={}, counters={}, counted_at=None)
    found = decode(encode(one))
    names = ("totals", "rates", "counted_at")
    assert [found[name] for name in names] == [None] * 3
    assert found["services"][0]["counters"] is None


@pytest.mark.parametrize("cut", [1, 8, 100, 500])
def test_half_a_document_is_refused(cut):
    data = encode(sample())
    with pytest.raises((ValueError, struct.error)):
        decode(data[:-cut])


points = st.one_of(st.none(), st.floats(0, 1000))


@given(st.lists(st.lists(points, min_size=8, max_size=8), max_size=30))
def test_points_keep_their_gaps(columns):
    one = sample()
    floats = [
        array("f", [nan if point is None else point for point in column])
        for column in columns
    ]
    told = Points(7, one.table.layout, tuple(floats))
    found = decode_sparks(encode_sparks(told))
    assert found.slot == 7
    lines = found.whole | found.rows
    for n, key in enumerate((*WHOLE, *one.table.layout.keys())):
        wanted = [column[n] for column in columns]
        while wanted and wanted[0] is None:
            del wanted[0]
        assert bool(lines.get(key)) == bool(wanted)
        for point, back in zip(wanted, lines.get(key, ()), strict=True):
            assert (point is None) == (back is None)
            assert point is None or abs(point - back) < 0.01
