"""``ipvsadm -Ln --stats --exact``, one listing after the other, row by row.

Rows are named as in ``kernel_table.py``. A director with 10,000 real servers lists as many
lines every few seconds, and most are what they were: only those that differ are parsed.

What is not understood is kept word for word and never guessed: a row is five whole
numbers behind a name, below the headings that we know.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from operator import ne

from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import row_key

_HEADS = [
    ["Prot", "LocalAddress:Port", "Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"],
    ["->", "RemoteAddress:Port"],
]
_HEAD_LINES = 3  # above them is the version
_MARKS = frozenset(("->", "TCP", "UDP", "SCTP", "FWM"))
_COLUMNS = 5
# Counters._make is written in Python.
_new = partial(tuple.__new__, Counters)


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a listing by name, and the lines of it that were not understood."""

    rows: dict[str, Counters] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


class StatsReader:
    """Reads the listings of one director; remembers the last one line by line."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._keys: list[str] = []  # of each line, "" for one that is no row
        self._listing = Listing()

    def read(self, text: str) -> Listing:
        lines = text.split("\n")
        if not self._update(lines):
            self._keys, self._listing = _read(text, lines)
        self._lines = lines
        return self._listing

    def _update(self, lines: list[str]) -> bool:
        """Parse the lines that differ; False when they are not the same rows."""
        if len(lines) != len(self._lines) or self._listing.unknown:
            return False
        moved = [*compress(range(len(lines)), map(ne, lines, self._lines))]
        text = "\n".join([lines[n] for n in moved])
        words = text.split()
        before = "\n".join([self._lines[n] for n in moved]).split()
        same = words[0::7] == before[0::7] and words[1::7] == before[1::7]
        keys = [self._keys[n] for n in moved]
        counted = _counted(words) if same and _plain(text) else []
        if len(words) != 7 * len(moved) or len(counted) != len(keys) or not all(keys):
            return False
        fresh = zip(keys, counted, strict=True)
        self._listing = Listing(self._listing.rows | dict(fresh))
        return True


def parse_stats(text: str) -> Listing:
    """Read one listing by itself."""
    return StatsReader().read(text)


def _read(text: str, lines: Sequence[str]) -> tuple[list[str], Listing]:
    """Return the key of each line, and the whole listing."""
    heads = [line.split() for line in lines[:_HEAD_LINES]]
    if heads[1:] != _HEADS:
        return [], Listing({}, tuple(line for line in lines if line.strip()))
    start = _HEAD_LINES
    words = text.split()[sum(map(len, heads)) :]
    # What follows the last end of a line was cut off.
    if len(words) == 7 * (len(lines) - 1 - start) and not lines[-1] and _plain(text):
        with _no_collection():
            rows = _even_rows(words)
        if rows is not None:
            return [*[""] * start, *rows, ""], Listing(rows)
    return _uneven_rows(lines, start)


def _even_rows(words: list[str]) -> dict[str, Counters] | None:
    """Read rows that all have seven words, column by column: no line is looked at.

    None when they are not all rows, each with a name of its own.
    """
    marks, names = words[0::7], words[1::7]
    if not _MARKS.issuperset(marks):
        return None
    keys = []
    service = ""
    for mark, name in zip(marks, names, strict=True):
        if mark == "->":
            keys.append(f"{service} {name}")
        else:
            service = f"{mark} {name}"
            keys.append(service)
    rows = dict(zip(keys, _counted(words), strict=False))
    is_whole = len(rows) == len(marks) and marks[:1] != ["->"]
    return rows if is_whole else None


def _counted(words: list[str]) -> list[Counters]:
    """Return the counters of rows of seven words, nothing when one is no number."""
    columns = [words[column::7] for column in range(2, 7)]
    try:
        return [*map(_new, zip(*(map(int, one) for one in columns), strict=True))]
    except ValueError:
        return []


def _plain(text: str) -> bool:
    """Whether ``int`` takes nothing in it but digits: no ``1_0``, ``+1`` or ``-1``."""
    signs = "_" in text or "+" in text or text.count(" -") != text.count(" ->")
    return text.isascii() and not signs


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


def _uneven_rows(lines: Sequence[str], start: int) -> tuple[list[str], Listing]:
    keys = [""] * len(lines)
    rows: dict[str, Counters] = {}
    unknown: list[str] = []
    service = ""
    for number, line in enumerate(lines[start:], start):
        words = line.split()
        name, counters = words[:-_COLUMNS], _counters(words[-_COLUMNS:])
        key = _key(service, name)
        if name and name[0] != "->":
            service = key
        if key and counters and key not in rows and number < len(lines) - 1:
            keys[number], rows[key] = key, counters
        elif words:
            unknown.append(line)
    return keys, Listing(rows, tuple(unknown))


def _key(service: str, name: Sequence[str]) -> str:
    """Return the key of a row, "" for words that are no name of a row."""
    match name:
        case ("->", server):
            return row_key(service, server) if service else ""
        case ("FWM", mark) | ("FWM", mark, "IPv6"):
            return f"FWM {mark}"
        case (mark, place) if mark in _MARKS:
            return f"{mark} {place}"
    return ""


def _counters(words: Sequence[str]) -> Counters | None:
    if len(words) != _COLUMNS or not _are_numbers(words):
        return None
    return _new(map(int, words))


def _are_numbers(words: Sequence[str]) -> bool:
    text = "".join(words)
    return text.isdigit() and text.isascii()
