"""One row of history: all counters of a director at one moment, in few bytes.

The format, version 1: one byte 0x01, then zlib of

    <II>           the number of rows, and of the bytes of their keys
    keys           UTF-8, joined by newlines; the first is "" (the whole director)
    <q * rows> * 8 column by column: conns, in_packets, out_packets, in_bytes,
                   out_bytes, active, inactive, weight; -1 where it is not known

Little-endian. A row stands alone: it can be read without any other.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from dataclasses import dataclass

from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import row_key
from cluster.watch.sample import TOTAL, Sample

VERSION = b"\x01"
COLUMNS = 8
UNKNOWN = -1
_HEAD = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class PackedRow:
    """A row as it was stored; None where the director had not said it."""

    counters: Counters | None
    active: int
    inactive: int
    weight: int | None


def pack(sample: Sample) -> bytes:
    rows: list[tuple[str, Counters | None, int, int, int]] = [
        (TOTAL, sample.totals, sample.active, sample.inactive, UNKNOWN)
    ]
    known = sample.counters
    for service in sample.services:
        key = service.key
        rows.append((key, known.get(key), service.active, service.inactive, UNKNOWN))
        for server in service.servers:
            key = row_key(service.key, server.at)
            load = (server.active, server.inactive, server.weight)
            rows.append((key, known.get(key), *load))
    keys = "\n".join(row[0] for row in rows).encode()
    counted = [_five(row[1]) for row in rows]
    columns = [
        *zip(*counted, strict=True),
        *zip(*(row[2:] for row in rows), strict=True),
    ]
    numbers = array("q", (value for column in columns for value in column))
    if sys.byteorder == "big":
        numbers.byteswap()
    body = _HEAD.pack(len(rows), len(keys)) + keys + numbers.tobytes()
    return VERSION + zlib.compress(body, 1)


def _five(counters: Counters | None) -> tuple[int, ...]:
    if counters is None:
        return (UNKNOWN,) * 5
    return (
        counters.conns,
        counters.in_packets,
        counters.out_packets,
        counters.in_bytes,
        counters.out_bytes,
    )


def unpack(data: bytes) -> dict[str, PackedRow]:
    """Return the rows by key; raises ValueError when it is not a row of ours."""
    columns = _columns(data)
    if columns is None:
        raise ValueError("not a packed reading")
    keys, numbers = columns
    count = len(keys)
    rows = {}
    for place, key in enumerate(keys):
        cells = numbers[place::count]
        rows[key] = _row(cells)
    return rows


def unpack_row(data: bytes, key: str) -> PackedRow | None:
    """Return one row, None when it was not in the table then."""
    columns = _columns(data)
    if columns is None or key not in columns[0]:
        return None
    keys, numbers = columns
    return _row(numbers[keys.index(key) :: len(keys)])


def _columns(data: bytes) -> tuple[list[str], array[int]] | None:
    if data[:1] != VERSION:
        return None
    try:
        body = zlib.decompress(data[1:])
        count, length = _HEAD.unpack_from(body)
    except (zlib.error, struct.error):
        return None
    keys = body[_HEAD.size : _HEAD.size + length].decode().split("\n")
    numbers = array("q")
    rest = body[_HEAD.size + length :]
    if len(keys) != count or len(rest) != count * COLUMNS * numbers.itemsize:
        return None
    numbers.frombytes(rest)
    if sys.byteorder == "big":
        numbers.byteswap()
    return keys, numbers


def _row(cells: array[int]) -> PackedRow:
    counters = None if cells[0] == UNKNOWN else Counters(*cells[:5])
    weight = None if cells[7] == UNKNOWN else cells[7]
    return PackedRow(counters, cells[5], cells[6], weight)
