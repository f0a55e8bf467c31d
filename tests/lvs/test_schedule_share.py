"""Shares of real servers: known values, the kernel's tables, and what always holds."""

import subprocess
import sys
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.lvs.schedule_share import (
    MH_ENTRIES,
    SH_BUCKETS,
    Weighted,
    hsiphash,
    shares,
)
from cluster.lvs.terms import Scheduler


def servers(*weights, port=80):
    return [
        Weighted(ip_address(f"10.0.1.{n}"), port, weight)
        for n, weight in enumerate(weights, start=6)
    ]


def parts(scheduler, *weights, **more):
    return shares(scheduler, servers(*weights), **more).parts


KNOWN = {
    "rr looks at no weight": (Scheduler.RR, (1, 5, 0), (1 / 2, 1 / 2, 0)),
    "wrr 3:1": (Scheduler.WRR, (3, 1), (3 / 4, 1 / 4)),
    "wrr with a quiesced one": (Scheduler.WRR, (3, 0, 1), (3 / 4, 0, 1 / 4)),
    "lc": (Scheduler.LC, (9, 1), (1 / 2, 1 / 2)),
    "wlc 2:1:1": (Scheduler.WLC, (2, 1, 1), (1 / 2, 1 / 4, 1 / 4)),
    "sed": (Scheduler.SED, (1, 4), (1 / 5, 4 / 5)),
    "nq": (Scheduler.NQ, (1, 1), (1 / 2, 1 / 2)),
    # 256 = 85 * 3 + 1: the one bucket that is left goes to the head of the list.
    "sh of three": (Scheduler.SH, (1, 1, 1), (85 / 256, 85 / 256, 86 / 256)),
    "sh 3:1": (Scheduler.SH, (3, 1), (192 / 256, 64 / 256)),
    # Weights above 256 leave nothing for those that come after.
    "sh with too large weights": (Scheduler.SH, (1000, 1000), (0, 1)),
}


@pytest.mark.parametrize("case", KNOWN)
def test_known_shares(case):
    scheduler, weights, expected = KNOWN[case]
    assert parts(scheduler, *weights) == pytest.approx(expected)


def test_sh_refuses_the_clients_of_a_quiesced_server_without_fallback():
    found = shares(Scheduler.SH, servers(1, 0))
    assert found.parts == (0.5, 0)
    assert found.refused == 0.5
    assert "50 % hash to a real server of weight 0" in str(found.note)
    found = shares(Scheduler.SH, servers(1, 0), fallback=True)
    assert (found.parts, found.refused) == ((1.0, 0.0), 0.0)


def test_the_hash_is_that_of_the_interpreter():
    """CPython hashes bytes by SipHash-1-3 as well; without a seed its key is 0."""
    assert sys.hash_info.algorithm == "siphash13"
    words = [0, 1, 0x0A000106 + 80, 0xFFFFFFFF]
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            f"for n in {words}: print(hash(n.to_bytes(4, 'little')) % 2**32)",
        ],
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [hsiphash(word, 0) for word in words] == [*map(int, told.stdout.split())]


def test_mh_spreads_by_weight():
    found = parts(Scheduler.MH, 3, 1)
    assert found == pytest.approx((0.75, 0.25), abs=1 / MH_ENTRIES)
    assert parts(Scheduler.MH, 3, 0, 1)[1] == 0


def test_mh_shares_nothing_smaller_than_a_turn():
    """Weights are halved until the largest has 6 bits: 1000:1 becomes 62:1."""
    small = parts(Scheduler.MH, 1000, 1)[1]
    assert small == pytest.approx(1 / 63, abs=2 / MH_ENTRIES)


@pytest.mark.parametrize(
    "scheduler",
    [Scheduler.FO, Scheduler.OVF, Scheduler.DH, Scheduler.LBLC, Scheduler.LBLCR],
)
def test_what_has_no_number_is_said_in_words(scheduler):
    found = shares(scheduler, servers(1, 2))
    assert found.parts is None
    assert str(found.note).endswith(".")


def test_nobody_takes_anything_at_weight_0():
    found = shares(Scheduler.WLC, servers(0, 0))
    assert found.parts is None
    assert str(found.note) == "Nobody takes a new connection."
    assert shares(Scheduler.RR, []).parts is None


def test_persistence_counts_clients():
    note = str(shares(Scheduler.WRR, servers(1, 1), persistent=True).note)
    assert "clients, not connections" in note


def test_ipv6_is_folded():
    both = [
        Weighted(ip_address("2001:db8::6"), 80, 1),
        Weighted(ip_address("2001:db8::9"), 80, 1),
    ]
    assert shares(Scheduler.MH, both).parts == pytest.approx((0.5, 0.5), abs=0.001)


weights = st.lists(st.integers(0, 300), min_size=1, max_size=6)


@settings(max_examples=60)
@given(weights, st.sampled_from(Scheduler), st.booleans())
def test_shares_are_all_of_it_and_nothing_for_a_quiesced_one(some, scheduler, fallback):
    found = shares(scheduler, servers(*some), fallback=fallback)
    if found.parts is None:
        return
    assert sum(found.parts) + found.refused == pytest.approx(1)
    for weight, part in zip(some, found.parts, strict=True):
        assert part >= 0
        assert weight or part == 0
    assert SH_BUCKETS == 256
