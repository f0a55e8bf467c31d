"""The levels of history: how fine, in which stretches, and for how long it is kept.

RAW has the seven values of ``packing.VALUES`` for each reading; the axis of a chunk is
in milliseconds. MINUTE and QUARTER have ``STATISTICS`` of each value for each bucket;
the axis counts buckets since the start of the chunk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan

from cluster.lvs.frame import PERIOD
from cluster.watch.chunks import Block, Columns
from cluster.watch.packing import WIDTH

HOUR, DAY = 3600, 24 * 3600
STATISTICS = ("low", "high", "sum", "count")
LOW, HIGH, SUM, COUNT = range(4)
_NOTHING = (nan, nan, nan, nan)


@dataclass(frozen=True, slots=True)
class Level:
    """Seconds: from one point to the next, in a chunk, and until it is deleted."""

    number: int
    step: int
    span: int
    keep: int

    @property
    def width(self) -> int:
        return WIDTH if self is RAW else WIDTH * len(STATISTICS)

    def start(self, at: float) -> int:
        """Return when the chunk starts that *at* lies in."""
        return int(at // self.span) * self.span


# Five minutes of readings are rolled up at once: the last of them are read one by one.
RAW = Level(0, int(PERIOD), 300, 48 * HOUR)
MINUTE = Level(1, 60, HOUR, 30 * DAY)
QUARTER = Level(2, 15 * 60, DAY, 2 * 365 * DAY)
LEVELS = (RAW, MINUTE, QUARTER)


def cuts(axis: Sequence[float], width: float) -> Iterator[tuple[int, int, int]]:
    """Yield (bucket, first place, place after the last) for buckets that have any."""
    start = 0
    while start < len(axis):
        bucket = int(axis[start] // width)
        end = bisect_left(axis, (bucket + 1) * width, start)
        yield bucket, start, end
        start = end


def summary(values: array[float]) -> Sequence[float]:
    """Return lowest, highest, sum and count of the values that are known."""
    if len(values) == 1:
        value = values[0]
        return (value, value, value, 1) if value == value else _NOTHING
    total = sum(values)
    if total == total:  # no NaN among them, which is usual and quick
        return min(values), max(values), total, len(values)
    known = [value for value in values if value == value]
    return (min(known), max(known), sum(known), len(known)) if known else _NOTHING


def combined(rows: Sequence[Sequence[float]]) -> Sequence[float]:
    """Put statistics of parts together: (lowest, highest, sums, counts)."""
    count = sum(rows[COUNT])
    if count == count:
        return min(rows[LOW]), max(rows[HIGH]), sum(rows[SUM]), count
    parts = [part for part in zip(*rows, strict=True) if part[COUNT] == part[COUNT]]
    return combined(list(zip(*parts, strict=True))) if parts else _NOTHING


def both(one: Sequence[float], other: Sequence[float]) -> Sequence[float]:
    """Put two buckets of the same time together, all values of them."""
    values: list[float] = []
    for n in range(0, len(one), len(STATISTICS)):
        end = n + len(STATISTICS)
        values += combined(list(zip(one[n:end], other[n:end], strict=True)))
    return values


def minutes_of(block: Block, offset: int) -> Block:
    """Roll up raw readings; *offset*: seconds from the hour to the start of the chunk."""
    found = list(cuts(block.axis, MINUTE.step * 1000))
    axis = array("I", (offset // MINUTE.step + bucket for bucket, _, _ in found))
    minutes = Block(MINUTE.width, axis)
    for name, columns in block.series.items():
        minutes.series[name] = _minutes(columns, [(i, j) for _, i, j in found])
    return minutes


def _minutes(columns: Columns, parts: list[tuple[int, int]]) -> Columns:
    rolled: Columns = []
    for values in columns:
        rows = [summary(values[i:j]) for i, j in parts]
        rolled += [array("f", column) for column in zip(*rows, strict=True)]
    return rolled


def quarter_of(block: Block, quarter: int, offset: int) -> Block | None:
    """Roll up a quarter (0 to 3) of an hour of minutes, None when it is empty.

    *offset*: seconds from the start of the day to that of the hour.
    """
    many = QUARTER.step // MINUTE.step
    i = bisect_left(block.axis, quarter * many)
    j = bisect_left(block.axis, (quarter + 1) * many)
    if i == j:
        return None
    rolled = Block(QUARTER.width, array("I", (offset // QUARTER.step + quarter,)))
    size = len(STATISTICS)
    for name, columns in block.series.items():
        values: list[float] = []
        for n in range(0, len(columns), size):
            values += combined([column[i:j] for column in columns[n : n + size]])
        rolled.series[name] = [array("f", (value,)) for value in values]
    return rolled
