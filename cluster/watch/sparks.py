"""The last five minutes of every row as 30 points, made where the samples are.

Reading 150 samples of a thousand rows for every page and tick would cost far more
than to keep 30 sums here.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import Any

from cluster.lvs.rates import Rates
from cluster.watch.sample import Sample

POINTS = 30
SECONDS = 10.0


class Sparks:
    """Means of conns/s by row; a row that was not known for a while has None."""

    def __init__(self) -> None:
        self._slot: int | None = None
        self._ticks: list[dict[str, Rates | None]] = []
        self._rows: dict[str, deque[float | None]] = {}

    def resume(self, document: dict[str, Any] | None) -> None:
        """Go on where another worker stopped, if that was less than 5 minutes ago."""
        if document:
            self._slot = int(document["slot"])
            self._rows = {
                key: deque(points, maxlen=POINTS)
                for key, points in document["rows"].items()
            }

    def add(self, sample: Sample) -> dict[str, Any] | None:
        """Take a sample; return the points whenever one more is complete."""
        slot = int(sample.at // SECONDS)
        done = None
        if self._slot is not None and slot != self._slot:
            self._close(slot - self._slot)
            done = self._document(slot)
        self._slot = slot
        self._ticks.append(sample.rates)
        return done

    def _close(self, slots: int) -> None:
        """End the current point, and leave a gap for those that were missed."""
        for key in {*self._rows, *chain.from_iterable(self._ticks)}:
            row = self._rows.setdefault(key, deque(maxlen=POINTS))
            known = [rates.conns for tick in self._ticks if (rates := tick.get(key))]
            row.append(round(sum(known) / len(known), 2) if known else None)
            row.extend([None] * min(max(slots - 1, 0), POINTS))
            if all(point is None for point in row):
                del self._rows[key]
        self._ticks = []

    def _document(self, slot: int) -> dict[str, Any]:
        return {"slot": slot, "rows": {k: list(v) for k, v in self._rows.items()}}
