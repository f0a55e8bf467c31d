"""``ipvsadm -Ln --stats --exact``, one listing after the other, row by row.

Rows are named as in ``kernel_table.py``. A director with 10,000 real servers lists as many
lines every few seconds, and most are what they were: only those that differ are parsed.

A row is five whole numbers behind a name, below the headings that we know; what is not
understood is kept word for word and never guessed. ``_careful`` says so line by line.
``_even`` reads many lines at once, and only where it can tell that ``_careful`` would
find the same: every line a row of seven words, every number nothing but digits.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO

from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import row_key

_HEADS = [
    ["Prot", "LocalAddress:Port", "Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"],
    ["->", "RemoteAddress:Port"],
]
_HEAD_LINES = 3  # above them is the version
_MARKS = frozenset(("->", "TCP", "UDP", "SCTP", "FWM"))
_COLUMNS = 5
_END = ";"  # stands for the end of a line among the words of many
_WIDTH = 2 + _COLUMNS + 1  # mark, name, numbers, end
# So many bytes are read at once: their words stay in the cache of the processor.
_BLOCK = 64 * 1024
# Counters._make is written in Python.
_new = partial(tuple.__new__, Counters)


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a listing by name, and the lines of it that were not understood."""

    rows: dict[str, Counters] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


class StatsReader:
    """Reads the listings of one director; remembers the last one."""

    def __init__(self) -> None:
        self._data = b""
        self._keys: list[str] = []  # of each line, "" for one that is no row
        self._listing = Listing()

    def read(self, data: bytes) -> Listing:
        if data != self._data:
            with _no_collection():
                self._take(data)
        return self._listing

    def _take(self, data: bytes) -> None:
        fresh = self._fresh(data)
        if fresh is None:
            self._keys, self._listing = _read(data)
        else:
            rows = self._listing.rows | fresh
            self._listing = Listing(rows, self._listing.unknown)
        self._data = data

    def _fresh(self, data: bytes) -> dict[str, Counters] | None:
        """Parse the lines that differ; None when they are not the same rows."""
        pairs = zip(self._keys, BytesIO(data), BytesIO(self._data), strict=True)
        try:
            moved = [(key, now, old) for key, now, old in pairs if now != old]
        except ValueError:  # more lines, or fewer
            return None
        words = _words(b"".join([now for _key, now, _old in moved]))
        before = _words(b"".join([old for _key, _now, old in moved]))
        keys = [key for key, _now, _old in moved]
        if not words or not before or not all(keys):
            return None
        if _marks(words) != _marks(before) or _names(words) != _names(before):
            return None
        counters = _numbers(words)
        return dict(zip(keys, counters, strict=True)) if counters else None


def parse_stats(data: bytes) -> Listing:
    """Read one listing by itself."""
    return StatsReader().read(data)


def _read(data: bytes) -> tuple[list[str], Listing]:
    """Return the key of each line, and the whole listing."""
    file = BytesIO(data)
    heads = [_text(file.readline()) for _ in range(_HEAD_LINES)]
    if [line.split() for line in heads[1:]] != _HEADS:
        lines = _text(data).split("\n")
        return [], Listing({}, tuple(line for line in lines if line.strip()))
    body = data[file.tell() :]
    keys, listing = _even(body) or _careful(body)
    return [*[""] * _HEAD_LINES, *keys], listing


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _words(data: bytes) -> list[str] | None:
    """Split lines that are all rows, ``_WIDTH`` words each; None when one is not."""
    text = _text(data)
    words = text.replace("\n", f" {_END} ").split()
    ends = words[_WIDTH - 1 :: _WIDTH]
    marks = _marks(words)
    is_even = (
        _END not in text
        and len(words) == _WIDTH * len(ends)
        and ends.count(_END) == len(ends) == text.count("\n")
        and _MARKS.issuperset(marks)
    )
    return words if is_even and _is_plain(text, marks) else None


def _is_plain(text: str, marks: list[str]) -> bool:
    """Whether ``int`` takes nothing in it but digits: no ``1_0``, ``+1`` or ``-1``."""
    if not text.isascii() or "_" in text or "+" in text:
        return False
    return text.count("-") == marks.count("->")


def _marks(words: list[str]) -> list[str]:
    return words[0::_WIDTH]


def _names(words: list[str]) -> list[str]:
    return words[1::_WIDTH]


def _numbers(words: list[str]) -> list[Counters] | None:
    """Return the counters of each row; None when a word is no number."""
    columns = (map(int, words[n::_WIDTH]) for n in range(2, 2 + _COLUMNS))
    try:
        return [*map(_new, zip(*columns, strict=True))]
    except ValueError:
        return None


def _even(body: bytes) -> tuple[list[str], Listing] | None:
    """Do what ``_careful`` does, block by block; None when not all lines are rows."""
    keys: list[str] = []
    rows: dict[str, Counters] = {}
    file = BytesIO(body)
    while block := file.read(_BLOCK) + file.readline():
        words = _words(block)
        counters = _numbers(words) if words else None
        if words is None or counters is None:
            return None
        new = _keys(keys[-1] if keys else "", words)
        rows.update(zip(new, counters, strict=True))
        keys += new
    # Each row has a name of its own, and the first is a service.
    is_whole = len(rows) == len(keys) and "" not in rows
    return (keys, Listing(rows)) if is_whole else None


def _keys(before: str, words: list[str]) -> list[str]:
    """Return the key of each row, "" for a server below no service.

    *before* is the key of the row above the first one.
    """
    keys = []
    service = " ".join(before.split()[:2])
    for mark, name in zip(_marks(words), _names(words), strict=True):
        if mark != "->":
            service = f"{mark} {name}"
            keys.append(service)
        else:
            keys.append(f"{service} {name}" if service else "")
    return keys


@contextmanager
def _no_collection() -> Iterator[None]:
    """Make many small objects that all stay: the collector would walk them in vain."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _careful(body: bytes) -> tuple[list[str], Listing]:
    """Read the lines below the headings one by one; return the key of each, too."""
    *lines, cut = _text(body).split("\n")
    keys = [""] * len(lines)
    rows: dict[str, Counters] = {}
    unknown: list[str] = []
    service = ""
    for number, line in enumerate(lines):
        words = line.split()
        name, counters = words[:-_COLUMNS], _counters(words[-_COLUMNS:])
        key = _key(service, name)
        if name and name[0] != "->":
            service = key
        if key and counters and key not in rows:
            keys[number], rows[key] = key, counters
        elif words:
            unknown.append(line)
    if cut.strip():
        unknown.append(cut)
    return keys, Listing(rows, tuple(unknown))


def _key(service: str, name: Sequence[str]) -> str:
    """Return the key of a row, "" for words that are no name of a row."""
    match name:
        case ("->", server):
            return row_key(service, server) if service else ""
        case ("FWM", mark):
            return f"FWM {mark}"
        case ("FWM", mark, "IPv6"):
            return f"FWM {mark} IPv6"
        case (mark, place) if mark in _MARKS:
            return f"{mark} {place}"
    return ""


def _counters(words: Sequence[str]) -> Counters | None:
    text = "".join(words)
    if len(words) != _COLUMNS or not (text.isdigit() and text.isascii()):
        return None
    try:
        return _new(map(int, words))
    except ValueError:  # thousands of digits
        return None
