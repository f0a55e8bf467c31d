"""Numbers of many rows as columns: a cell costs its bytes, and not an object.

Rows are told apart by their place. Nobody changes a column once it is made, so that two
that are the same may be one object; many are zeros (replies that pass the director by).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from math import nan
from operator import itemgetter
from sys import byteorder
from typing import TypeAlias

# The five of ``Counters``, of each row; no kernel counts as far as UNKNOWN.
Columns: TypeAlias = "tuple[array[int], ...]"
COLUMNS = 5
UNKNOWN = 2**64 - 1
# The five of ``Rates``; NaN is "not known". Four bytes: it is what history keeps.
RateColumns: TypeAlias = "tuple[array[float], ...]"


def digest(words: Sequence[bytes]) -> bytes:
    """Return few bytes that tell words from others."""
    return blake2b(b"\n".join(words), digest_size=16).digest()


def whole(words: Sequence[bytes]) -> array[int]:
    """Return words as whole numbers; raises ValueError or OverflowError."""
    if words.count(b"0") == len(words):
        return zeros(len(words))
    return array("Q", [*map(int, words)])


@lru_cache(maxsize=256)
def zeros(rows: int) -> array[int]:
    return array("Q", bytes(8 * rows))


@lru_cache(maxsize=256)
def unknown(rows: int) -> array[int]:
    return array("Q", [UNKNOWN]) * rows


@lru_cache(maxsize=256)
def still(rows: int) -> array[float]:
    """Return rates of rows that did not move."""
    return array("f", bytes(4 * rows))


@lru_cache(maxsize=256)
def no_rates(rows: int) -> array[float]:
    return array("f", [nan]) * rows


@lru_cache(maxsize=256)
def _top_bits(rows: int) -> int:
    return int.from_bytes(array("Q", [2**63]) * rows, byteorder)


def grown(old: array[int], now: array[int]) -> array[int] | None:
    """Return by how much each cell has grown; None when one has become less.

    A column is subtracted as one whole number. The top bit of each cell, which no
    counter has reached, lends what the cell may lack: if it is still there, it did not.
    """
    top = _top_bits(len(now))
    before, after = int.from_bytes(old, byteorder), int.from_bytes(now, byteorder)
    if (before | after) & top:
        return None
    left = (after | top) - before
    if left & top != top:
        return None
    return array("Q", (left ^ top).to_bytes(8 * len(now), byteorder))


class Picks:
    """Some rows, and where each of them is among others."""

    def __init__(self, keys: Sequence[str], among: Sequence[str]) -> None:
        place = {key: n for n, key in enumerate(among)}
        places = tuple(place.get(key, -1) for key in keys)
        self.missing = tuple(n for n, at in enumerate(places) if at < 0)
        whole = not self.missing and len(keys) > 1
        # What picks all knows their places; they are not kept twice.
        self._all = itemgetter(*places) if whole else None
        self._places = () if whole else places
        self._rows, self._among = len(keys), len(among)

    @property
    def places(self) -> tuple[int, ...]:
        """Return where each of the rows is, -1 for nowhere."""
        return self._all(range(self._among)) if self._all else self._places

    def counters(self, column: array[int]) -> array[int]:
        """Return the cells of the rows, UNKNOWN for those that are nowhere."""
        if self._all is None:
            cells = [column[n] if n >= 0 else UNKNOWN for n in self.places]
            return array("Q", cells)
        if column is zeros(len(column)):
            return zeros(self._rows)
        return array("Q", self._all(column))

    def rates(self, column: array[float]) -> array[float]:
        return array("f", [column[n] if n >= 0 else nan for n in self.places])
