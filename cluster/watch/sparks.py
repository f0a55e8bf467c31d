"""The last five minutes of every row as 30 points, made where the samples are.

Reading 150 samples of a thousand rows for every page and tick would cost far more
than to keep 30 sums here.
"""

from __future__ import annotations

from array import array
from math import isnan, nan
from typing import Any

from cluster.watch.sample import Sample

POINTS = 30
SECONDS = 10.0


class Sparks:
    """Means of conns/s by row; a row that was not known for a while has NaN.

    Arrays: 800 directors with a hundred rows each would fill a gigabyte as objects.
    """

    def __init__(self) -> None:
        self._slot: int | None = None
        self._keys: list[str] = []
        self._ticks: list[tuple[list[str], array[float]]] = []
        self._rows: dict[str, array[float]] = {}

    def resume(self, document: dict[str, Any] | None) -> None:
        """Go on where another worker stopped, if that was less than 5 minutes ago."""
        if document:
            self._slot = int(document["slot"])
            self._rows = {
                key: array("f", [nan if p is None else p for p in points][-POINTS:])
                for key, points in document["rows"].items()
            }

    def add(self, sample: Sample) -> dict[str, Any] | None:
        """Take a sample; return the points whenever one more is complete."""
        slot = int(sample.at // SECONDS)
        done = None
        if self._slot is not None and slot != self._slot:
            self._close(slot - self._slot)
            done = {"slot": slot, "rows": {k: row[:] for k, row in self._rows.items()}}
        self._slot = slot
        keys = [*sample.rates]
        if keys != self._keys:
            self._keys = keys
        rates = sample.rates.values()
        conns = array("f", [nan if known is None else known.conns for known in rates])
        self._ticks.append((self._keys, conns))
        return done

    def _close(self, slots: int) -> None:
        """End the current point, and leave a gap for those that were missed."""
        means = self._means()
        missed = array("f", [nan] * min(max(slots - 1, 0), POINTS))
        for key in self._rows.keys() | means.keys():
            row = self._rows.setdefault(key, array("f"))
            row.append(means.get(key, nan))
            row += missed
            del row[:-POINTS]
            if all(map(isnan, row)):
                del self._rows[key]
        self._ticks = []

    def _means(self) -> dict[str, float]:
        """Return what is known of the ticks since the last point."""
        known: dict[str, list[float]] = {}
        for keys, conns in self._ticks:
            for key, value in zip(keys, conns, strict=True):
                if value == value:
                    known.setdefault(key, []).append(value)
        return {key: sum(some) / len(some) for key, some in known.items()}
