"""Counters that grow -> rates per second, never negative, unknown rather than wrong.

A counter starts again when its row is made anew, zeroed (``ipvsadm -Z``) or when the
director boots: then there is no rate until the next sample. None says "not known".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import sub
from typing import NamedTuple

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


# Rates._make is written in Python.
_new = partial(tuple.__new__, Rates)


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


def rates_between(before: Counters, now: Counters, seconds: float) -> Rates | None:
    """Return the rates, None when a counter started again or no time has passed."""
    if seconds <= 0 or started_again(before, now):
        return None
    return Rates(
        (now.conns - before.conns) / seconds,
        (now.in_packets - before.in_packets) / seconds,
        (now.out_packets - before.out_packets) / seconds,
        (now.in_bytes - before.in_bytes) / seconds,
        (now.out_bytes - before.out_bytes) / seconds,
    )


def started_again(before: Counters, now: Counters) -> bool:
    return (
        now.conns < before.conns
        or now.in_packets < before.in_packets
        or now.out_packets < before.out_packets
        or now.in_bytes < before.in_bytes
        or now.out_bytes < before.out_bytes
    )


@dataclass(slots=True)
class _Taken:
    """One sample, with its number."""

    number: int
    at: Moment
    rows: Mapping[str, Counters]


class Meter:
    """The last few samples of one director, and the rates that follow from them.

    All rows are worked out in a few passes over columns; the few that have started in
    between are looked at one by one.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self._taken: deque[_Taken] = deque(maxlen=window + 1)
        self._boot_id = ""
        self._count = 0
        # The sample that a row started with, for those that started after the oldest.
        self._starts: dict[str, int] = {}

    def keep(self, keys: Iterable[str]) -> None:
        """Forget all other rows: one that comes back later counts from the start."""
        if self._taken:
            rows = self._taken[-1].rows
            self._taken[-1].rows = {key: rows[key] for key in keys if key in rows}

    def add(
        self, at: Moment, boot_id: str, rows: Mapping[str, Counters]
    ) -> dict[str, Rates | None]:
        """Take one sample and return the rate of each of its rows."""
        taken = self._taken
        if boot_id != self._boot_id or (
            taken and seconds_between(taken[-1].at, at) is None
        ):
            taken.clear()
        self._boot_id = boot_id
        self._count += 1
        started = _started(taken[-1].rows, rows) if taken else ()
        self._starts.update(dict.fromkeys(started, self._count))
        taken.append(_Taken(self._count, at, rows))
        first = taken[0]
        self._starts = {
            key: number
            for key, number in self._starts.items()
            if number > first.number and key in rows
        }
        if len(taken) == 1:
            return dict.fromkeys(rows)
        rates: dict[str, Rates | None] = {}
        rates.update(_all_rates(first.rows, rows, at.there - first.at.there))
        for key, number in self._starts.items():
            before = taken[number - first.number]
            seconds = at.there - before.at.there
            rates[key] = rates_between(before.rows[key], rows[key], seconds)
        return rates


def _started(before: Mapping[str, Counters], now: Mapping[str, Counters]) -> set[str]:
    """Return the rows that were not there before, or have started again."""
    started = now.keys() - before.keys()
    if min(_growth(before, now), default=0) < 0:
        started |= {
            key
            for key, counters in now.items()
            if key in before and started_again(before[key], counters)
        }
    return started


def _growth(
    before: Mapping[str, Counters], now: Mapping[str, Counters]
) -> Iterator[int]:
    """Yield by how much each counter of each row has grown; 0 for new rows."""
    rows = now.values()
    older = map(before.get, now, rows)
    return map(sub, chain.from_iterable(rows), chain.from_iterable(older))


def _all_rates(
    before: Mapping[str, Counters], now: Mapping[str, Counters], seconds: float
) -> Iterator[tuple[str, Rates]]:
    cells = (grown / seconds for grown in _growth(before, now))
    rows = zip(*[cells] * len(Rates._fields), strict=True)
    return zip(now, map(_new, rows), strict=True)
