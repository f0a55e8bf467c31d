"""One moment of a director in few bytes, to be stored at once and read back by series.

A series is a pair (group, name), so that what is looked at together lies together:

    ("", "")                             the whole director
    ("TCP 10.0.1.31:80", "")             a service
    ("TCP 10.0.1.31:80", "10.0.1.6:80")  a real server in it
    ("=", "10.0.1.6")                    a real server in all services together

Seven values a row, see ``VALUES``: rates as ``lvs.rates`` found them, NaN where they are
not known: after a reset, or because replies pass the director by (DR, TUN).

The format, version 2, little-endian: ``<BII>`` with the version, a number that changes
when the director boots, and the bytes of the layout; the layout (zlib of the keys, a
line each); 7 float32 for the director and for each key.
It is not compressed: after five minutes ``rollup.py`` makes history of it.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from math import nan

from cluster.lvs.kernel_table import BLIND, KernelService
from cluster.lvs.rates import Rates
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
VERSION = 2
WHOLE, HOSTS = "", "="
Series = tuple[str, str]
TOTAL: Series = (WHOLE, "")
Row = tuple[float, ...]
_HEAD = struct.Struct("<BII")
_ROW = struct.Struct(f"<{WIDTH}f")
_UNKNOWN = (nan,) * len(Rates._fields)
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
    keys: list[str] = []
    connections: list[tuple[int, int]] = []
    blind: list[int] = []
    seen = not sample.services
    for service in sample.services:
        seen |= _add_service(service, keys, connections, blind)
    rates = [known or _UNKNOWN for known in map(sample.rates.get, keys)]
    pairs = zip(rates, connections, strict=True)
    cells = [*(sample.total_rates or _UNKNOWN), sample.active, sample.inactive]
    cells += chain.from_iterable(chain.from_iterable(pairs))
    for place in blind if seen else (0, *blind):
        for column in _OUT:
            cells[place * WIDTH + column] = nan
    numbers = struct.pack(f"<{len(cells)}f", *cells)
    layout = _compressed("\n".join(keys))
    boot = zlib.crc32(sample.boot_id.encode())
    return _HEAD.pack(VERSION, boot, len(layout)) + layout + numbers


def _add_service(
    service: KernelService,
    keys: list[str],
    connections: list[tuple[int, int]],
    blind: list[int],
) -> bool:
    """Add the rows of a service; say whether the director sees replies in it.

    *blind* gets the places of rows whose replies it does not see.
    """
    own = len(keys)
    keys.append(service.key)
    connections.append((0, 0))
    sees = not service.servers
    active = inactive = 0
    for at, forward, _weight, now, past in service.servers:
        keys.append(f"{service.key} {at}")
        connections.append((now, past))
        active += now
        inactive += past
        if forward in BLIND:
            blind.append(len(keys))
        else:
            sees = True
    connections[own] = active, inactive
    if not sees:
        blind.append(own + 1)
    return sees


@lru_cache(maxsize=1024)
def _compressed(keys: str) -> bytes:
    return zlib.compress(keys.encode(), 6)


def series_of(key: str) -> Series:
    """Return the series of a row: ``TCP 10.0.1.31:80 10.0.1.6:80``, ``FWM 7 IPv6``."""
    service, _, server = key.rpartition(" ")
    return (service, server) if ":" in server and " " in service else (key, "")


# -- reading --------------------------------------------------------------------------


def boot_of(data: bytes) -> int:
    return _head(data)[0]


def split(data: bytes) -> tuple[Layout, bytes]:
    """Return the layout and the numbers; raises ValueError when they are not ours."""
    _boot, start = _head(data)
    return _layout(data[_HEAD.size : start]), data[start:]


def floats(data: bytes) -> array[float]:
    numbers = array("f", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def row(data: bytes, series: Series) -> Row | None:
    """Return one series of a reading, None when it was not in the table then."""
    _boot, start = _head(data)
    places = _layout(data[_HEAD.size : start]).places(series)
    if not places:
        return None
    size = _ROW.size
    rows = [_ROW.unpack_from(data, start + place * size) for place in places]
    return rows[0] if len(rows) == 1 else tuple(map(sum, zip(*rows, strict=True)))


def names_of(data: bytes, group: str) -> Collection[str]:
    return split(data)[0].groups.get(group, {})


def _head(data: bytes) -> tuple[int, int]:
    """Return the number of the boot, and where the numbers start."""
    try:
        version, boot, length = _HEAD.unpack_from(data)
    except struct.error as error:
        raise ValueError("not a packed reading") from error
    if version != VERSION:
        raise ValueError("not a packed reading")
    return boot, _HEAD.size + length


@lru_cache(maxsize=1024)
def _layout(compressed: bytes) -> Layout:
    try:
        keys = zlib.decompress(compressed).decode()
    except zlib.error as error:
        raise ValueError("not a packed reading") from error
    groups: dict[str, dict[str, tuple[int, ...]]] = {WHOLE: {"": (0,)}}
    hosts: dict[str, tuple[int, ...]] = {}
    lines = keys.split("\n") if keys else []
    for place, key in enumerate(lines, start=1):
        group, name = series_of(key)
        groups.setdefault(group, {})[name] = (place,)
        if name:
            address = name.rpartition(":")[0].strip("[]")
            hosts[address] = (*hosts.get(address, ()), place)
    if hosts:
        groups[HOSTS] = hosts
    return Layout(groups, 1 + len(lines))
