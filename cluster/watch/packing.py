"""One moment of a director in few bytes, to be stored at once and read back by series.

A series is a pair (group, name), so that what is looked at together lies together:

    ("", "")                             the whole director
    ("TCP 10.0.1.31:80", "")             a service
    ("TCP 10.0.1.31:80", "10.0.1.6:80")  a real server in it
    ("=", "10.0.1.6")                    a real server in all services together

Seven values a row, see ``VALUES``: rates as ``lvs.rates`` found them, NaN where they are
not known: after a reset, or because replies pass the director by (DR, TUN).

The format, version 3, little-endian: ``<BII>`` with the version, a number that changes
when the director boots, and the bytes of the layout; the layout (``lvs/layout.py``); and
7 columns of float32, each with the director and then all rows.
It is not compressed: after five minutes ``rollup.py`` makes history of it. Version 2 had
the keys of the rows as its layout (zlib, a line each), and 7 float32 row by row.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import nan

from cluster.lvs.columns import COLUMNS, no_rates
from cluster.lvs.layout import unpacked
from cluster.watch.sample import Sample

VALUES = (
    "conns",
    "in_packets",
    "out_packets",
    "in_bytes",
    "out_bytes",
    "active",
    "inactive",
)
WIDTH = len(VALUES)
VERSION = 3
_BY_ROWS = 2
WHOLE, HOSTS = "", "="
Series = tuple[str, str]
TOTAL: Series = (WHOLE, "")
Row = tuple[float, ...]
_HEAD = struct.Struct("<BII")
_UNKNOWN = (nan,) * COLUMNS
REPLIES = ("out_packets", "out_bytes")
_OUT = tuple(map(VALUES.index, REPLIES))


@dataclass(frozen=True, slots=True)
class Layout:
    """Which rows a reading has: by group and name, the places that are added up."""

    groups: dict[str, dict[str, tuple[int, ...]]]
    rows: int

    def places(self, series: Series) -> tuple[int, ...]:
        group, name = series
        return self.groups.get(group, {}).get(name, ())


def pack(sample: Sample) -> bytes:
    table = sample.table
    layout = table.layout
    rates = sample.total_rates or _UNKNOWN
    total = [*rates, table.all_active, table.all_inactive]
    # ``array`` would take twice as long to make floats of them.
    floats_of = struct.Struct(f"{len(table.active)}f").pack
    connections = (floats_of(*table.active), floats_of(*table.inactive))
    columns = [*sample.speeds, *(array("f", one) for one in connections)]
    for n in _OUT:
        if not layout.sees_replies:
            total[n] = nan
        if layout.blind:
            columns[n] = _without(columns[n], layout.blind)
    numbers = array("f", total)
    parts = [part for n in range(WIDTH) for part in (numbers[n : n + 1], columns[n])]
    if sys.byteorder == "big":
        parts = [part[:] for part in parts]
        for part in parts:
            part.byteswap()
    boot = zlib.crc32(sample.about.boot_id.encode())
    head = _HEAD.pack(VERSION, boot, len(layout.packed))
    return b"".join((head, layout.packed, *parts))


def _without(column: array[float], places: Sequence[int]) -> array[float]:
    """Return the column, not known at *places*."""
    if len(places) == len(column):
        return no_rates(len(column))
    column = column[:]
    for place in places:
        column[place] = nan
    return column


def series_of(key: str) -> Series:
    """Return the series of a row: ``TCP 10.0.1.31:80 10.0.1.6:80``, ``FWM 7 IPv6``."""
    service, _, server = key.rpartition(" ")
    return (service, server) if ":" in server and " " in service else (key, "")


# -- reading --------------------------------------------------------------------------


def boot_of(data: bytes) -> int:
    return _head(data)[1]


def split(data: bytes) -> tuple[Layout, bytes]:
    """Return the layout and the columns; raises ValueError when they are not ours."""
    version, _boot, start = _head(data)
    found = _layout(version, data[_HEAD.size : start])
    numbers = data[start:]
    if version == _BY_ROWS and len(numbers) == found.rows * WIDTH * 4:
        rows = array("f", numbers)
        numbers = b"".join(rows[n::WIDTH] for n in range(WIDTH))
    return found, numbers


def floats(data: bytes) -> array[float]:
    numbers = array("f", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def row(data: bytes, series: Series) -> Row | None:
    """Return one series of a reading, None when it was not in the table then."""
    layout, columns = split(data)
    places = layout.places(series)
    if not places:
        return None
    numbers = floats(columns)
    rows = [tuple(numbers[place :: layout.rows]) for place in places]
    return rows[0] if len(rows) == 1 else tuple(map(sum, zip(*rows, strict=True)))


def names_of(data: bytes, group: str) -> Collection[str]:
    return split(data)[0].groups.get(group, {})


def _head(data: bytes) -> tuple[int, int, int]:
    """Return the version, the number of the boot, and where the numbers start."""
    try:
        version, boot, length = _HEAD.unpack_from(data)
    except struct.error as error:
        raise ValueError("not a packed reading") from error
    if version not in (VERSION, _BY_ROWS):
        raise ValueError("not a packed reading")
    return version, boot, _HEAD.size + length


@lru_cache(maxsize=1024)
def _layout(version: int, packed: bytes) -> Layout:
    try:
        if version == _BY_ROWS:
            keys = tuple(zlib.decompress(packed).decode().splitlines())
        else:
            keys = unpacked(packed).keys()
    except (ValueError, zlib.error) as error:
        raise ValueError("not a packed reading") from error
    groups: dict[str, dict[str, tuple[int, ...]]] = {WHOLE: {"": (0,)}}
    hosts: dict[str, tuple[int, ...]] = {}
    for place, key in enumerate(keys, start=1):
        group, name = series_of(key)
        groups.setdefault(group, {})[name] = (place,)
        if name:
            address = name.rpartition(":")[0].strip("[]")
            hosts[address] = (*hosts.get(address, ()), place)
    if hosts:
        groups[HOSTS] = hosts
    return Layout(groups, 1 + len(keys))
