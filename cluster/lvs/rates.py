"""Counters that grow -> rates per second, never negative, unknown rather than wrong.

A counter starts again when its row is made anew, zeroed (``ipvsadm -Z``) or when the
director boots: then there is no rate until the next sample. None says "not known".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cluster.lvs.counters import Counters

# The kernel refreshes what it shows every 2 s, and so do we: a single difference would
# now and then hold two refreshes and then none. Two periods halve that.
WINDOW = 2


@dataclass(frozen=True, slots=True)
class Rates:
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


class Meter:
    """The last few samples of one director, and the rates that follow from them."""

    def __init__(self, window: int = WINDOW) -> None:
        self._length = window + 1
        self._boot_id = ""
        self._rows: dict[str, deque[tuple[Moment, Counters]]] = {}

    def keep(self, keys: Iterable[str]) -> None:
        """Forget all other rows: one that comes back later counts from the start."""
        self._rows = {key: self._rows[key] for key in keys if key in self._rows}

    def add(
        self, at: Moment, boot_id: str, rows: Mapping[str, Counters]
    ) -> dict[str, Rates | None]:
        """Take one sample and return the rate of each of its rows."""
        if boot_id != self._boot_id:
            self._rows, self._boot_id = {}, boot_id
        kept: dict[str, deque[tuple[Moment, Counters]]] = {}
        rates: dict[str, Rates | None] = {}
        for key, counters in rows.items():
            samples = self._rows.get(key)
            if samples is None or _broken(samples[-1], at, counters):
                samples = deque(maxlen=self._length)
            samples.append((at, counters))
            kept[key] = samples
            rates[key] = _rate(samples)
        # A row that is not listed any more is forgotten: if it comes back, it is new.
        self._rows = kept
        return rates


def _broken(last: tuple[Moment, Counters], at: Moment, counters: Counters) -> bool:
    moment, before = last
    return started_again(before, counters) or seconds_between(moment, at) is None


def _rate(samples: deque[tuple[Moment, Counters]]) -> Rates | None:
    (first, before), (last, now) = samples[0], samples[-1]
    seconds = last.there - first.there
    return rates_between(before, now, seconds) if len(samples) > 1 else None
