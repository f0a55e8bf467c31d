"""A stretch of history of one group: columns over one axis, small when it is stored.

The format, version 1, little-endian: ``<BBIII>`` with the version, the columns of a
series, the length of the axis, the number of series and the bytes of the head. The head
is zlib of the axis (uint32), the length of each series (uint32) and the names, a line
each. Then each series by itself, so that one is read without the others: zlib of its
float32 columns, first all first bytes, then all second bytes and so on.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from math import nan

VERSION = 1
_HEAD = struct.Struct("<BBIII")
_ITEM = 4

Columns = list["array[float]"]
# (older values, newer values) for the same place -> the values that shall stand there.
Combine = Callable[[Sequence[float], Sequence[float]], Sequence[float]]


@dataclass(slots=True)
class Block:
    """Values of several series over one axis, in its order. NaN: there was none."""

    width: int
    axis: array[int] = field(default_factory=lambda: array("I"))
    series: dict[str, Columns] = field(default_factory=dict)


def encode(block: Block) -> bytes:
    parts = [_packed(columns) for columns in block.series.values()]
    lengths = array("I", map(len, parts))
    names = "\n".join(block.series).encode()
    head = zlib.compress(_bytes(block.axis) + _bytes(lengths) + names, 1)
    counts = (block.width, len(block.axis), len(parts), len(head))
    return b"".join((_HEAD.pack(VERSION, *counts), head, *parts))


def decode(data: bytes, names: Collection[str] | None = None) -> Block:
    """Read all series, or only *names*; raises ValueError when it is not ours."""
    try:
        version, width, length, count, size = _HEAD.unpack_from(data)
        head = zlib.decompress(data[_HEAD.size : _HEAD.size + size])
    except (struct.error, zlib.error) as error:
        raise ValueError("not a chunk of history") from error
    if version != VERSION:
        raise ValueError("not a chunk of history")
    middle, end = length * _ITEM, (length + count) * _ITEM
    block = Block(width, _array("I", head[:middle]))
    keys = head[end:].decode().split("\n") if count else []
    place = _HEAD.size + size
    for key, part in zip(keys, _array("I", head[middle:end]), strict=True):
        if names is None or key in names:
            block.series[key] = _unpacked(data[place : place + part], width)
        place += part
    return block


def _packed(columns: Columns) -> bytes:
    plain = b"".join(map(_bytes, columns))
    return zlib.compress(b"".join(plain[n::_ITEM] for n in range(_ITEM)), 1)


def _unpacked(data: bytes, width: int) -> Columns:
    shuffled = zlib.decompress(data)
    count = len(shuffled) // _ITEM
    plain = bytearray(len(shuffled))
    for n in range(_ITEM):
        plain[n::_ITEM] = shuffled[n * count : (n + 1) * count]
    numbers = _array("f", bytes(plain))
    length = count // width
    return [numbers[n * length : (n + 1) * length] for n in range(width)]


def _bytes(numbers: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _array(kind: str, data: bytes) -> array:  # type: ignore[type-arg]
    numbers = array(kind, data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


# -- putting together -----------------------------------------------------------------


def merged(old: Block, new: Block, combine: Combine) -> Block:
    """Return both as one; *combine* decides where both have the same place."""
    if not old.axis or not new.axis or old.axis[-1] < new.axis[0]:
        return _appended(old, new)
    if new.axis[-1] < old.axis[0]:
        return _appended(new, old)
    return _interleaved(old, new, combine)


def _appended(first: Block, then: Block) -> Block:
    whole = Block(then.width, first.axis + then.axis)
    before, after = _gap(len(first.axis)), _gap(len(then.axis))
    for name in dict.fromkeys((*first.series, *then.series)):
        left = first.series.get(name, [before] * whole.width)
        right = then.series.get(name, [after] * whole.width)
        whole.series[name] = [a + b for a, b in zip(left, right, strict=True)]
    return whole


def _interleaved(old: Block, new: Block, combine: Combine) -> Block:
    """The rare case: readings that came late, after their time was written down."""
    whole = Block(new.width, array("I", sorted({*old.axis, *new.axis})))
    nothing = (nan,) * whole.width
    for name in dict.fromkeys((*old.series, *new.series)):
        rows = _rows(old, name)
        for place, values in _rows(new, name).items():
            before = rows.get(place)
            rows[place] = combine(before, values) if before else values
        table = [rows.get(place, nothing) for place in whole.axis]
        columns = zip(*table, strict=True)
        whole.series[name] = [array("f", column) for column in columns]
    return whole


def _rows(block: Block, name: str) -> dict[int, Sequence[float]]:
    columns = block.series.get(name)
    if columns is None:
        return {}
    return dict(zip(block.axis, zip(*columns, strict=True), strict=True))


def _gap(length: int) -> array[float]:
    return array("f", (nan,)) * length
