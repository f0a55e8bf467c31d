"""Counters that grow -> rates per second, never negative, unknown rather than wrong.

A counter starts again when its row is made anew, zeroed (``ipvsadm -Z``) or when the
director boots: then there is no rate until the next sample. None says "not known".
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import nan
from operator import gt, sub
from struct import pack
from typing import NamedTuple

from cluster.lvs.columns import Columns, Picks, RateColumns, grown, no_rates, still
from cluster.lvs.counters import Counters

# The kernel refreshes what it shows every 2 s, and so do we: a single difference would
# now and then hold two refreshes and then none. Two periods halve that.
WINDOW = 2


class Rates(NamedTuple):
    """Per second: new connections, packets and bytes, as the director saw them."""

    conns: float
    in_packets: float
    out_packets: float
    in_bytes: float
    out_bytes: float


@dataclass(frozen=True, slots=True)
class Moment:
    """When a sample was taken: by the director's clock, and by ours."""

    there: float
    here: float


def seconds_between(before: Moment, now: Moment) -> float | None:
    """Return the director's seconds, None when its clock was moved meanwhile.

    Its own clock is the better one, a frame may travel slowly; but somebody may set
    it, and then both clocks disagree.
    """
    there, here = now.there - before.there, now.here - before.here
    if there <= 0 or abs(there - here) > 1.0 + 0.25 * max(here, 0.0):
        return None
    return there


class _Taken(NamedTuple):
    """One sample, with its number."""

    number: int
    at: Moment
    columns: Columns


class Meter:
    """The last few samples of one director, and the rates that follow from them.

    Columns are worked out as a whole; the few rows that have started in between are
    looked at one by one.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        # Not a deque: it takes half a kilobyte, times all directors.
        self._taken: list[_Taken] = []
        self._boot_id = ""
        self._count = 0
        # The sample that a row started with, for those that started after the oldest.
        self._starts: dict[int, int] = {}

    def move(self, picks: Picks) -> None:
        """Rows are other ones now. One that leaves and comes back later counts from the
        start."""
        for n, (number, at, columns) in enumerate(self._taken):
            moved = tuple(map(picks.counters, columns))
            self._taken[n] = _Taken(number, at, moved)
        starts = ((now, self._starts.get(old)) for now, old in enumerate(picks.places))
        self._starts = {now: number for now, number in starts if number}
        self._starts.update(dict.fromkeys(picks.missing, self._count + 1))

    def add(
        self,
        at: Moment,
        boot_id: str,
        columns: Columns,
        missing: Collection[int] = (),
    ) -> RateColumns:
        """Take one sample and return the rates of its rows, NaN for "not known".

        Rows that are *missing* have no counters now; they start with the next sample.
        """
        taken, starts = self._taken, self._starts
        if boot_id != self._boot_id or (
            taken and seconds_between(taken[-1].at, at) is None
        ):
            taken.clear()
        self._boot_id = boot_id
        self._count += 1
        if taken:
            started = _started(taken[-1].columns, columns)
            starts.update(dict.fromkeys(started, self._count))
        starts.update(dict.fromkeys(missing, self._count + 1))
        taken.append(_Taken(self._count, at, columns))
        del taken[: -self._window - 1]
        first = taken[0]
        if len(taken) == 1:
            return (no_rates(len(columns[0])),) * len(columns)
        seconds = at.there - first.at.there
        pairs = zip(first.columns, columns, strict=True)
        rates = tuple(_column(old, now, seconds) for old, now in pairs)
        return self._with_starts(rates) if starts else rates

    def _with_starts(self, rates: RateColumns) -> RateColumns:
        """Work out the rows again that started later than the others."""
        now, first = self._taken[-1], self._taken[0].number
        rates = tuple(column[:] for column in rates)
        # A new one: a dictionary that was large once stays so.
        starts = {row: n for row, n in self._starts.items() if n > first}
        self._starts = starts
        for row, number in starts.items():
            before = self._taken[number - first] if number < now.number else None
            for n, column in enumerate(rates):
                column[row] = nan
                if before is not None:
                    grown = now.columns[n][row] - before.columns[n][row]
                    column[row] = grown / (now.at.there - before.at.there)
        return rates


class TotalMeter:
    """The rates of a whole director. When one of its counters has started again, all
    have."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._taken: list[tuple[Moment, Counters]] = []
        self._boot_id = ""

    def add(self, at: Moment, boot_id: str, now: Counters) -> Rates | None:
        taken = self._taken
        if taken:
            before, last = taken[-1]
            moved = boot_id != self._boot_id or seconds_between(before, at) is None
            if moved or any(map(gt, last, now)):
                taken.clear()
        self._boot_id = boot_id
        taken.append((at, now))
        del taken[: -self._window - 1]
        if len(taken) == 1:
            return None
        before, first = taken[0]
        seconds = at.there - before.there
        return Rates(*[(n - o) / seconds for n, o in zip(now, first, strict=True)])


def _started(before: Columns, now: Columns) -> set[int]:
    """Return the rows that have started again."""
    started: set[int] = set()
    for old, new in zip(before, now, strict=True):
        if old is not new and grown(old, new) is None:
            started.update(n for n, fell in enumerate(map(gt, old, new)) if fell)
    return started


def _column(old: array[int], now: array[int], seconds: float) -> array[float]:
    rows = len(now)
    if old is now:
        return still(rows)
    by: Iterable[int] | None = grown(old, now)
    if by is None:
        by = map(sub, now, old)
    a_second = 1 / seconds
    # ``array`` would take three times as long to make floats of them.
    return array("f", pack(f"{rows}f", *[n * a_second for n in by]))
