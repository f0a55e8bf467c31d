"""What the live cache holds of a director, in few bytes that are cheap to make.

Written every two seconds for every director, read only while somebody looks: so the
numbers go as they are in memory, and the reader makes of it what pages use. A document
is a head (``_HEAD``), what is known besides numbers as JSON, the layout, and columns:
weight of the real servers, active and inactive of all rows as uint32, their counters as
uint64, and their rates as floats. What is not known is the largest number, or NaN.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Callable, Iterable
from math import nan
from typing import Any

from cluster.lvs.columns import COLUMNS, UNKNOWN
from cluster.lvs.frame import PERIOD
from cluster.lvs.layout import unpacked
from cluster.watch.sample import Sample
from cluster.watch.sparks import WHOLE, Line, Lines, Points

# Mark; at, counted_at; how long ipvsadm takes, and its pause; totals and their rates;
# the bytes of the JSON and of the layout.
_HEAD = struct.Struct("=4sdddd5Q5dII")
_MARK = b"PWS3"
_SERVER = ("at", "forward", "weight", "active", "inactive", "counters", "rates")
_NO_TOTALS = (UNKNOWN,) * COLUMNS
_NO_RATES = (nan,) * COLUMNS
# Mark, slot, the number of points, and the bytes of the layout.
_POINTS = struct.Struct("=4sqII")
_POINTS_MARK = b"PWL4"


def encode(sample: Sample) -> bytes:
    """Return the sample, for ``decode``."""
    table, about = sample.table, sample.about.as_json
    layout = table.layout.packed
    head = _HEAD.pack(
        _MARK,
        sample.at,
        nan if sample.counted_at is None else sample.counted_at,
        *sample.listing,
        *(sample.totals or _NO_TOTALS),
        *(sample.total_rates or _NO_RATES),
        len(about),
        len(layout),
    )
    numbers = (table.weight, table.active, table.inactive, *sample.columns)
    return b"".join((head, about, layout, *numbers, *sample.speeds))


def decode(data: bytes) -> dict[str, Any]:
    """Return what pages read, see ``board.py``. Raises ValueError or struct.error."""
    mark, at, counted_at, took, pause, *ten, about, size = _HEAD.unpack_from(data)
    if mark != _MARK:
        raise ValueError("of another version")
    middle = _HEAD.size + about
    end = middle + size
    layout = unpacked(data[middle:end])
    first, rows = layout.first, layout.rows
    read = _reader(data, end)
    weight = read("I", layout.servers)
    active, inactive = read("I", rows), read("I", rows)
    five = zip(*[read("Q", rows) for _ in range(COLUMNS)], strict=True)
    counters = [*map(_counters, five)]
    speeds = zip(*[read("f", rows) for _ in range(COLUMNS)], strict=True)
    rates = [*map(_rates, speeds)]
    columns = (layout.endpoints, layout.forwards, weight)
    numbers = (active, inactive, counters, rates)
    below = zip(*columns, *(column[first:] for column in numbers), strict=True)
    servers = [dict(zip(_SERVER, row, strict=True)) for row in below]
    return {
        **json.loads(data[_HEAD.size : middle]),
        "at": round(at, 3),
        "period": PERIOD,
        "counted_at": None if counted_at != counted_at else counted_at,
        "listing": [took, pause],
        "active": sum(active[:first]),
        "inactive": sum(inactive[:first]),
        "totals": _counters(tuple(ten[:COLUMNS])),
        "rates": _rates(tuple(ten[COLUMNS:])),
        "services": [
            {
                "key": row.key,
                "scheduler": row.scheduler,
                "persistent": row.persistent,
                "counters": counters[n],
                "rates": rates[n],
                "servers": servers[start:end],
            }
            for n, (row, (start, end)) in enumerate(
                zip(layout.services, layout.spans, strict=True)
            )
        ],
    }


def _reader(data: bytes, place: int) -> Callable[[str, int], array[Any]]:
    """Return a function that reads a column of a type, one after the other."""

    def read(kind: str, count: int) -> array[Any]:
        nonlocal place
        column: array[Any] = array(kind)
        end = place + count * column.itemsize
        column.frombytes(data[place:end])
        if len(column) != count:
            raise ValueError("cut off")
        place = end
        return column

    return read


def _counters(row: tuple[int, ...]) -> tuple[int, ...] | None:
    return None if row == _NO_TOTALS else row


def _rates(row: tuple[float, ...]) -> tuple[float, ...] | None:
    return row if row[0] == row[0] else None


def encode_sparks(points: Points) -> bytes:
    """Return the points of ``Sparks``, each as a float with seven digits."""
    layout = points.layout.packed
    head = _POINTS.pack(_POINTS_MARK, points.slot, len(points.columns), len(layout))
    return b"".join((head, layout, *points.columns))


def decode_sparks(data: bytes) -> Lines:
    """Return the lines of a director; each begins with a point that is known.

    Raises ValueError or struct.error.
    """
    mark, slot, count, size = _POINTS.unpack_from(data)
    if mark != _POINTS_MARK:
        raise ValueError("of another version")
    start = _POINTS.size + size
    keys = unpacked(data[_POINTS.size : start]).keys()
    read = _reader(data, start)
    columns = [read("f", len(WHOLE) + len(keys)) for _ in range(count)]
    cells = zip(*columns, strict=True) if columns else ()
    lines = [*map(_line, cells)]
    whole = dict(zip(WHOLE, lines, strict=False))
    rows = zip(keys, lines[len(WHOLE) :], strict=False)
    return Lines(slot, whole, {key: line for key, line in rows if line})


def _line(cells: Iterable[float]) -> Line:
    points: list[float | None] = []
    for cell in cells:
        if cell == cell:
            points.append(round(cell, 2))
        elif points:
            points.append(None)
    return tuple(points)
