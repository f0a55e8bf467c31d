"""Stretches of history -> points for a graph, never more than a screen can show. Pure.

A point is the mean of what is known in its step, with the lowest and the highest. A
step without any reading has no point: a gap stays a gap, however short. Only a reading
that comes one period late leaves none: the value before it stands for so long.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from math import inf

from cluster.lvs.frame import PERIOD
from cluster.watch.chunks import Columns
from cluster.watch.levels import STATISTICS, combined, cuts, summary
from cluster.watch.packing import REPLIES, VALUES, WIDTH

CARRIED = PERIOD
LATE = 6 * PERIOD
# What says that a director has something to do; the first is always known.
CARRIES = ("active", "inactive", "conns")
ACTIVE = VALUES.index("active")
# Told by every reading; a rate takes two.
AT_ONCE = ("active", "inactive")
Known = list[float | None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Times and columns of one series, as they were stored: raw values, or statistics."""

    times: array[float]
    columns: Columns

    @property
    def is_raw(self) -> bool:
        return len(self.columns) == WIDTH


@dataclass(frozen=True, slots=True)
class Trace:
    """One value over time; None where it is not known."""

    mean: Known
    low: Known
    high: Known


@dataclass(frozen=True, slots=True)
class Points:
    """The traces of one series by the names of ``packing.VALUES``; *at* in seconds.

    *heard*, by place: when the first reading of the step came, and until when its last
    one stands. Only the raw readings of one director say that.
    """

    at: list[float]
    step: float
    traces: dict[str, Trace]
    heard: dict[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return all(value is None for value in self.traces["active"].mean)

    def sees_replies(self) -> bool:
        """False where the director forwards but has no replies to count.

        Before it had a service that they pass by, it has counted none: these zeros say
        nothing about the replies of now.
        """
        out, into = self.traces["out_packets"].mean, self.traces["in_packets"].mean
        pairs = zip(into, out, strict=True)
        passed_by = any(i is not None and o is None for i, o in pairs)
        return not passed_by or any(out)

    def gaps(self) -> list[tuple[float, float]]:
        """Return from when until when there was nothing, up to the end of the range;
        what lies before the first point is not a gap but the beginning."""
        known = self.traces["active"].mean
        places = [n for n, value in enumerate(known) if value is not None]
        found = [
            (self._heard(one)[1], self._heard(other)[0])
            for one, other in pairwise(places)
            if other > one + 1
        ]
        # The newest reading is on its way for a while; only then is it missing.
        end = self.at[-1] + self.step
        since = self._heard(places[-1])[1] if places else end
        if end - since > max(LATE, 2 * self.step):
            found.append((since, end))
        return found

    def _heard(self, place: int) -> tuple[float, float]:
        at = self.at[place]
        return self.heard.get(place, (at, at + self.step))


class _Sums:
    """What falls into each step, of one value."""

    def __init__(self, length: int) -> None:
        self.low = [inf] * length
        self.high = [-inf] * length
        self.sum = [0.0] * length
        self.count = [0.0] * length

    def add(
        self, place: int, low: float, high: float, total: float, count: float
    ) -> None:
        if count != count:
            return
        self.sum[place] += total
        self.count[place] += count
        if low < self.low[place]:
            self.low[place] = low
        if high > self.high[place]:
            self.high[place] = high

    def trace(self) -> Trace:
        counts = self.count
        return Trace(
            [
                _short(s / n) if n else None
                for s, n in zip(self.sum, counts, strict=True)
            ],
            [_short(v) if n else None for v, n in zip(self.low, counts, strict=True)],
            [_short(v) if n else None for v, n in zip(self.high, counts, strict=True)],
        )


def _short(value: float) -> float:
    """A float32 has seven digits; more would only be longer to send."""
    return round(value, 2) if value < 100_000 else float(round(value))


def points(
    stretches: Iterable[Stretch], since: float, until: float, step: float
) -> Points:
    """Put what was stored into steps from *since* (rounded down) to *until*."""
    first = int(since // step)
    length = max(int(-(-until // step)) - first, 1)
    sums = [_Sums(length) for _ in VALUES]
    heard: dict[int, tuple[float, float]] = {}
    is_raw = True
    for stretch in stretches:
        is_raw = is_raw and stretch.is_raw
        found = [
            (bucket - first, i, j)
            for bucket, i, j in cuts(stretch.times, step)
            if 0 <= bucket - first < length
        ]
        for place, i, j in found:
            begin = heard[place][0] if place in heard else stretch.times[i]
            heard[place] = begin, stretch.times[j - 1] + PERIOD
        for n, one in enumerate(sums):
            _fill(one, stretch, n, found)
    traces = {name: one.trace() for name, one in zip(VALUES, sums, strict=True)}
    at = [(first + n) * step for n in range(length)]
    seen = [place in heard for place in range(length)]
    _carry(seen, traces.values(), int(CARRIED // step))
    return Points(at, step, traces, heard if is_raw else {})


def _fill(
    sums: _Sums, stretch: Stretch, value: int, found: Iterable[tuple[int, int, int]]
) -> None:
    if stretch.is_raw:
        column = stretch.columns[value]
        for place, i, j in found:
            sums.add(place, *summary(column[i:j]))
        return
    n = value * len(STATISTICS)
    four = stretch.columns[n : n + len(STATISTICS)]
    for place, i, j in found:
        sums.add(place, *combined([column[i:j] for column in four]))


def _carry(seen: Sequence[bool], traces: Iterable[Trace], most: int) -> None:
    """Let a value stand while no reading came, for up to *most* steps in the middle."""
    lines = [line for trace in traces for line in (trace.mean, trace.low, trace.high)]
    place = 0
    for is_seen, steps in groupby(seen):
        length = len(list(steps))
        end = place + length
        if not is_seen and place > 0 and end < len(seen) and length <= most:
            for line in lines:
                line[place:end] = [line[place - 1]] * length
        place = end


def summed(parts: Sequence[Points]) -> Points:
    """Add up the same series of several directors; who is silent adds nothing.

    But no zero is claimed while a director is silent that carried something: the sum is
    not known until another one carries something. Nor is there one of rates while a busy
    director has only begun to count, or of replies while one does not see its own: the
    others have counted none, and that is all.
    """
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    busy = [_carries(part) for part in parts]
    missed = {place for line in busy for place in _missed(line)}
    unknown = {place for place in missed if not any(line[place] for line in busy)}
    traces = {}
    begins, blind = _begins(parts, busy), _blind(parts)
    for name in VALUES:
        found = [part.traces[name] for part in parts]
        if name in REPLIES:
            found = [_without_zeros(trace, begins | blind) for trace in found]
        elif name not in AT_ONCE:
            found = [_without_zeros(trace, begins) for trace in found]
        traces[name] = Trace(
            _added([trace.mean for trace in found], unknown),
            _added([trace.low for trace in found], unknown),
            _added([trace.high for trace in found], unknown),
        )
    return Points(first.at, first.step, traces)


def _begins(parts: Sequence[Points], busy: Sequence[Sequence[bool | None]]) -> set[int]:
    """Return the places where a director carries something and has no rates yet."""
    found: set[int] = set()
    for part, carries in zip(parts, busy, strict=True):
        pairs = enumerate(zip(carries, part.traces["conns"].mean, strict=True))
        found |= {n for n, (carried, conns) in pairs if carried and conns is None}
    return found


def _blind(parts: Sequence[Points]) -> set[int]:
    """Return the places where a director counts what comes and does not see replies."""
    found: set[int] = set()
    for part in parts:
        into, out = part.traces["in_packets"].mean, part.traces["out_packets"].mean
        pairs = enumerate(zip(into, out, strict=True))
        found |= {n for n, (i, o) in pairs if i is not None and o is None}
    return found


def _without_zeros(trace: Trace, places: Container[int]) -> Trace:
    def known(line: Known) -> Known:
        return [
            None if not value and place in places else value
            for place, value in enumerate(line)
        ]

    return Trace(known(trace.mean), known(trace.low), known(trace.high))


def _carries(part: Points) -> list[bool | None]:
    """Say for each place whether the director carried something; None: it was silent."""
    lines = [part.traces[name].mean for name in CARRIES]
    return [
        None if values[0] is None else any(values)
        for values in zip(*lines, strict=True)
    ]


def _missed(busy: Sequence[bool | None]) -> Iterator[int]:
    """Yield the places where a director is silent that carried something before."""
    before: bool | None = False
    for place, carried in enumerate(busy):
        if carried is None and before:
            yield place
        before = before if carried is None else carried


def _added(lines: Sequence[Known], unknown: Container[int]) -> Known:
    whole: Known = []
    for place, values in enumerate(zip(*lines, strict=True)):
        known = [value for value in values if value is not None]
        whole.append(sum(known) if known and place not in unknown else None)
    return whole
