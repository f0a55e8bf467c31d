from datetime import UTC, datetime, timedelta

import pytest

from cluster import numbers

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (7, "7"), (1284, "1,284"), (1e6, "1,000,000"), (None, numbers.DASH)],
)
def test_count(value, shown):
    assert numbers.count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0/s"),
        (0.42, "0.4/s"),
        (3.0, "3/s"),
        (828.4, "828/s"),
        (12_345, "12,345/s"),
        (1_300_000, "1.3 M/s"),
        (None, numbers.DASH),
    ],
)
def test_rate(value, shown):
    assert numbers.rate(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 B/s"),
        (940, "940 B/s"),
        (999_999, "1.0 MB/s"),
        (2_600_000, "2.6 MB/s"),
        (812_000_000, "812 MB/s"),
        (1.25e9, "1.2 GB/s"),
        (None, numbers.DASH),
    ],
)
def test_bytes_rate(value, shown):
    assert numbers.bytes_rate(value) == shown


def test_byte_count_has_no_rate():
    assert numbers.byte_count(2_600_000) == "2.6 MB"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 s"),
        (0.42, "0.4 s"),
        (59, "59 s"),
        (60, "1 min"),
        (134, "2 min 14 s"),
        (7500, "2 h 5 min"),
        (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
        (timedelta(days=3, minutes=5), "3 d"),
        (-5, "0 s"),
        (None, numbers.DASH),
    ],
)
def test_duration(value, shown):
    assert numbers.duration(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (NOW - timedelta(seconds=134), "2 min 14 s ago"),
        (NOW + timedelta(seconds=3), "just now"),
        (timedelta(seconds=61), "1 min 1 s ago"),
        (12.7, "12 s ago"),
        (None, numbers.DASH),
    ],
)
def test_since(value, shown):
    assert numbers.since(value, NOW) == shown
