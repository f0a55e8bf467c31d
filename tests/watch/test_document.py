from array import array
from math import nan

from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import KernelServer, KernelService
from cluster.lvs.rates import Rates
from cluster.watch.document import decode, decode_sparks, encode, encode_sparks
from cluster.watch.sample import TOTAL
from tests.watch.build import sample

numbers = st.integers(0, 2**63)
rates = st.floats(0, 1e12, allow_nan=False)
servers = st.builds(
    KernelServer,
    st.sampled_from(["10.0.1.6:80", "[2001:db8::6]:80", "10.0.1.9:53"]),
    st.sampled_from(["Route", "Masq", "Tunnel", "Local"]),
    numbers,
    numbers,
    numbers,
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
    st.lists(services, max_size=3).map(tuple),
    st.dictionaries(rows, st.builds(Counters, *[numbers] * 5)),
    st.dictionaries(
        st.one_of(rows, st.just(TOTAL)),
        st.one_of(st.none(), st.builds(Rates, *[rates] * 5)),
    ),
)
def test_what_is_read_is_what_was_written(services, counters, rates):
    one = sample(services=services, counters=counters, rates=rates)
    assert as_lists(decode(encode(one))) == as_lists(one.as_json())


def as_lists(document):
    return document | {"addresses": list(document["addresses"])}


def test_a_number_that_no_kernel_counts_does_no_harm():
    key = "TCP 10.0.1.31:80"
    one = sample(counters={key: Counters(2**70, 1, 2, 3, 4)})
    found = decode(encode(one))["services"][0]["counters"]
    assert found[1:] == [1, 2, 3, 4]


@given(
    st.dictionaries(
        rows, st.lists(st.one_of(st.none(), st.floats(0, 1000)), max_size=30)
    )
)
def test_points_keep_their_gaps(rows):
    floats = {
        key: array("f", [nan if point is None else point for point in points])
        for key, points in rows.items()
    }
    found = decode_sparks(encode_sparks({"slot": 7, "rows": floats}))
    assert found["slot"] == 7
    assert found["rows"].keys() == rows.keys()
    for key, points in rows.items():
        for point, read in zip(points, found["rows"][key], strict=True):
            assert (point is None) == (read is None)
            assert point is None or abs(point - read) < 0.01
