"""The last five minutes of every row as 30 points, made where the samples are.

Reading 150 samples of a thousand rows for every page and tick would cost far more
than to keep 30 sums here.
"""

from __future__ import annotations

from array import array
from math import nan
from typing import Any, NamedTuple

from cluster.lvs.columns import Picks, no_rates
from cluster.lvs.layout import Layout
from cluster.watch.sample import TOTAL, Sample

POINTS = 30
SECONDS = 10.0


class Points(NamedTuple):
    """The points before *slot*: of each one a column, with the whole director and then
    each row of the layout. NaN is "not known"."""

    slot: int
    layout: Layout
    columns: tuple[array[float], ...]


class Sparks:
    """Means of conns/s by row; a row that was not known for a while has NaN."""

    def __init__(self) -> None:
        self._slot: int | None = None
        self._layout = Layout()
        self._ticks: list[array[float]] = []
        self._columns: list[array[float]] = []
        # Of another worker, until the first sample says which rows there are.
        self._others: dict[str, list[float | None]] = {}

    def resume(self, document: dict[str, Any] | None) -> None:
        """Go on where another worker stopped, if that was less than 5 minutes ago."""
        if document:
            self._slot, self._others = int(document["slot"]), document["rows"]

    def add(self, sample: Sample) -> Points | None:
        """Take a sample; return the points whenever one more is complete."""
        layout, slot = sample.table.layout, int(sample.at // SECONDS)
        if self._others:
            self._take_over(layout)
        done = None
        if self._slot is not None and slot != self._slot:
            self._close(slot - self._slot)
            done = Points(slot, self._layout, tuple(self._columns))
        self._slot = slot
        if layout is not self._layout:
            self._move(layout)
        rates = sample.total_rates
        total = array("f", [rates.conns if rates else nan])
        self._ticks.append(total + sample.speeds[0])
        return done

    def _take_over(self, layout: Layout) -> None:
        self._layout = layout
        rows = [self._others.get(key, []) for key in (TOTAL, *layout.keys())]
        count = min(max(map(len, rows)), POINTS)
        for n in range(-count, 0):
            points = (row[n] if len(row) >= -n else None for row in rows)
            column = array("f", [nan if point is None else point for point in points])
            self._columns.append(column)
        self._others = {}

    def _move(self, layout: Layout) -> None:
        """Have the rows of another layout: what has left the table is forgotten."""
        before = (TOTAL, *self._layout.keys())
        picks = Picks((TOTAL, *layout.keys()), before)
        for columns in (self._ticks, self._columns):
            for n, column in enumerate(columns):
                columns[n] = picks.rates(column)
        self._layout = layout

    def _close(self, slots: int) -> None:
        """End the current point, and leave a gap for those that were missed."""
        self._columns.append(self._means())
        missed = no_rates(1 + self._layout.rows)
        self._columns.extend([missed] * min(max(slots - 1, 0), POINTS))
        del self._columns[:-POINTS]
        self._ticks = []

    def _means(self) -> array[float]:
        """Return what is known of the ticks since the last point."""
        if not self._ticks:
            return no_rates(1 + self._layout.rows)
        count = len(self._ticks)
        means: list[float] = [*map(sum, zip(*self._ticks, strict=True))]
        for n, total in enumerate(means):
            if total == total:
                means[n] = total / count
            else:
                some = [tick[n] for tick in self._ticks if tick[n] == tick[n]]
                means[n] = sum(some) / len(some) if some else nan
        return array("f", means)
