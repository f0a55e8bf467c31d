"""The last five minutes as 30 points: of a whole director, and of each of its rows.

Made where the samples are. Reading 150 samples of a thousand rows for every page and
tick would cost far more than to keep 30 sums here.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import NamedTuple

from cluster.lvs.columns import Picks, no_rates
from cluster.lvs.layout import Layout
from cluster.watch.sample import Sample

POINTS = 30
SECONDS = 10.0
# The lines of a whole director, before those of its rows, which have only the first.
WHOLE = ("conns", "active", "inactive", "in_bytes", "out_bytes")
# One line, the oldest point first; None is "not known".
Line = tuple[float | None, ...]


class Points(NamedTuple):
    """The points before *slot*: of each one a column, with the cells of ``WHOLE`` and
    then conns/s of each row of the layout. NaN is "not known"."""

    slot: int
    layout: Layout
    columns: tuple[array[float], ...]


@dataclass(frozen=True, eq=False)
class Lines:
    """The same as pages read it: all lines end with the point before *slot*.

    *whole* are by the names in ``WHOLE``, *rows* by the keys of rows.
    """

    slot: int
    whole: Mapping[str, Line]
    rows: Mapping[str, Line]

    @cached_property
    def drawn(self) -> Mapping[str, tuple[float, ...]]:
        """The lines of rows without what is not known."""
        return {
            key: tuple(point for point in line if point is not None)
            for key, line in self.rows.items()
        }


class Sparks:
    """Means of ten seconds; a row that was not known for a while has NaN."""

    def __init__(self) -> None:
        self._slot: int | None = None
        self._layout = Layout()
        self._ticks: list[array[float]] = []
        self._columns: list[array[float]] = []
        # Of another worker, until the first sample says which rows there are.
        self._others: Lines | None = None

    def resume(self, lines: Lines | None) -> None:
        """Go on where another worker stopped, if that was less than 5 minutes ago."""
        if lines:
            self._slot, self._others = lines.slot, lines

    def add(self, sample: Sample) -> Points | None:
        """Take a sample; return the points whenever one more is complete."""
        layout, slot = sample.table.layout, int(sample.at // SECONDS)
        if self._others:
            self._take_over(self._others, layout)
        done = None
        if self._slot is not None and slot != self._slot:
            self._close(slot - self._slot)
            done = Points(slot, self._layout, tuple(self._columns))
        self._slot = slot
        if layout is not self._layout:
            self._move(layout)
        self._ticks.append(_whole(sample) + sample.speeds[0])
        return done

    def _take_over(self, others: Lines, layout: Layout) -> None:
        self._layout = layout
        lines = [others.whole.get(name, ()) for name in WHOLE]
        keys = layout.keys()
        lines += [others.rows.get(key, ()) for key in keys]
        count = min(max(map(len, lines)), POINTS)
        for n in range(-count, 0):
            points = (line[n] if len(line) >= -n else None for line in lines)
            column = array("f", [nan if point is None else point for point in points])
            self._columns.append(column)
        self._others = None

    def _move(self, layout: Layout) -> None:
        """Have the rows of another layout: what has left the table is forgotten."""
        before = (*WHOLE, *self._layout.keys())
        picks = Picks((*WHOLE, *layout.keys()), before)
        for columns in (self._ticks, self._columns):
            for n, column in enumerate(columns):
                columns[n] = picks.rates(column)
        self._layout = layout

    def _close(self, slots: int) -> None:
        """End the current point, and leave a gap for those that were missed."""
        self._columns.append(self._means())
        self._columns.extend([self._missed] * min(max(slots - 1, 0), POINTS))
        del self._columns[:-POINTS]
        self._ticks = []

    @property
    def _missed(self) -> array[float]:
        return no_rates(len(WHOLE) + self._layout.rows)

    def _means(self) -> array[float]:
        """Return what is known of the ticks since the last point."""
        if not self._ticks:
            return self._missed
        count = len(self._ticks)
        means: list[float] = [*map(sum, zip(*self._ticks, strict=True))]
        for n, total in enumerate(means):
            if total == total:
                means[n] = total / count
            else:
                some = [tick[n] for tick in self._ticks if tick[n] == tick[n]]
                means[n] = sum(some) / len(some) if some else nan
        return array("f", means)


def _whole(sample: Sample) -> array[float]:
    rates, table = sample.total_rates, sample.table
    return array(
        "f",
        [
            rates.conns if rates else nan,
            table.all_active,
            table.all_inactive,
            rates.in_bytes if rates else nan,
            rates.out_bytes if rates else nan,
        ],
    )
