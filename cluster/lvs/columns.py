"""Numbers of many rows as columns: a cell costs its bytes, and not an object.

Rows are told apart by their place. Nobody changes a column once it is made, so that two
that are the same may be one object; many are zeros (replies that pass the director by).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from math import nan
from typing import TypeAlias

# The five of ``Counters``, of each row; no kernel counts as far as UNKNOWN.
Columns: TypeAlias = "tuple[array[int], ...]"
COLUMNS = 5
UNKNOWN = 2**64 - 1
# The five of ``Rates``; NaN is "not known". Four bytes: it is what history keeps.
RateColumns: TypeAlias = "tuple[array[float], ...]"


def whole(words: Sequence[str]) -> array[int]:
    """Return words as whole numbers; raises ValueError or OverflowError."""
    if words.count("0") == len(words):
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


def places_of(keys: Sequence[str], among: Sequence[str]) -> tuple[int, ...]:
    """Return where each of *keys* is *among* others, -1 for nowhere."""
    place = {key: n for n, key in enumerate(among)}
    return tuple(place.get(key, -1) for key in keys)


def picked(column: array[int], places: Sequence[int], missing: int) -> array[int]:
    """Return the cells at *places*, and *missing* for nowhere."""
    if -1 in places:
        return array("Q", [column[n] if n >= 0 else missing for n in places])
    if column is zeros(len(column)):
        return zeros(len(places))
    return array("Q", [*map(column.__getitem__, places)])


def picked_rates(column: array[float], places: Sequence[int]) -> array[float]:
    return array("f", [column[n] if n >= 0 else nan for n in places])
