"""``ipvsadm -Ln --stats --exact``, one listing after the other, row by row.

Rows are named as in ``kernel_table.py``. A director with 10,000 real servers lists as many
lines every few seconds, and most are what they were: only those that differ are parsed.

A row is five whole numbers behind a name, below the headings that we know; what is not
understood is kept word for word and never guessed. ``_careful`` says so line by line.
``_even`` reads many lines at once, and only where it can tell that ``_careful`` would
find the same: every line a row of seven words, every number nothing but digits.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Self

from cluster.lvs.columns import COLUMNS, UNKNOWN, Columns, digest, whole, zeros
from cluster.lvs.counters import Counters
from cluster.lvs.kernel_table import row_key

_HEADS = [
    ["Prot", "LocalAddress:Port", "Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"],
    ["->", "RemoteAddress:Port"],
]
_HEAD_LINES = 3  # above them is the version
_SERVER = b"->"
_MARKS = frozenset((_SERVER, b"TCP", b"UDP", b"SCTP", b"FWM"))
_END = b";"  # stands for the end of a line among the words of many
# What ``str.split`` takes for space, and ``bytes.split`` does not.
_SEPARATORS = (b"\x1c", b"\x1d", b"\x1e", b"\x1f")
_WIDTH = 2 + COLUMNS + 1  # mark, name, numbers, end
# So many bytes are read at once: their words stay in the cache of the processor.
_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a listing, and the lines of it that were not understood.

    *names* are the keys of the rows, compressed, a line each: the same object as in the
    listing before when the rows are the same.
    """

    names: bytes = b""
    columns: Columns = (zeros(0),) * COLUMNS
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Mapping[str, Counters], unknown: Iterable[str] = ()) -> Self:
        numbers = zip(*rows.values(), strict=True) if rows else [()] * COLUMNS
        columns = tuple(array("Q", n) for n in numbers)
        return cls(_packed(rows), columns, tuple(unknown))

    @property
    def keys(self) -> tuple[str, ...]:
        names = zlib.decompress(self.names).decode() if self.names else ""
        return tuple(names.split("\n")) if names else ()

    @property
    def rows(self) -> dict[str, Counters]:
        """Return the counters by name."""
        rows = zip(*self.columns, strict=True)
        return dict(zip(self.keys, map(Counters._make, rows), strict=True))


class StatsReader:
    """Reads the listings of one director; remembers the last one."""

    def __init__(self) -> None:
        # Not kept of a small listing that moves: it is read anew as a whole.
        self._data: bytes | None = b""
        # Of the last listing: what is above the rows, and a digest of all marks and
        # names. Nothing when a line was not understood.
        self._head = b""
        self._named = b""
        self._listing = Listing()

    def read(self, data: bytes) -> Listing:
        if data != self._data:
            self._take(data)
        return self._listing

    def _take(self, data: bytes) -> None:
        columns, is_small = None, len(data) <= _BLOCK
        if self._head and data.startswith(self._head):
            columns = self._again(data) if is_small else self._moved(data)
        moves = columns is not None and columns != self._listing.columns
        if columns is None:
            self._read(data)
        elif moves:
            self._listing = Listing(self._listing.names, columns)
        self._data = None if moves and is_small else data

    def _read(self, data: bytes) -> None:
        self._head, self._listing = _read(data)
        self._named = b""
        if self._head and len(data) <= _BLOCK:
            self._named = _named(_split(data[len(self._head) :]))

    def _again(self, data: bytes) -> Columns | None:
        """Parse all lines; None when they are not the same rows."""
        body = data[len(self._head) :]
        words = _split(body)
        if _named(words) != self._named or not _is_plain(body, _marks(words)):
            return None
        return _numbers(words)

    def _moved(self, data: bytes) -> Columns | None:
        """Parse the lines that differ; None when they are not the same rows."""
        pairs = zip(BytesIO(data), BytesIO(self._data or b""), strict=True)
        try:
            moved = [(n, now, old) for n, (now, old) in enumerate(pairs) if now != old]
        except ValueError:  # more lines, or fewer
            return None
        words = _words(b"".join([now for _n, now, _old in moved]))
        before = _words(b"".join([old for _n, _now, old in moved]))
        if not words or not before or _named(words) != _named(before):
            return None
        fresh = _numbers(words)
        if fresh is None:
            return None
        columns = tuple(column[:] for column in self._listing.columns)
        for column, news in zip(columns, fresh, strict=True):
            for (n, _now, _old), number in zip(moved, news, strict=True):
                column[n - _HEAD_LINES] = number
        return columns


def parse_stats(data: bytes) -> Listing:
    """Read one listing by itself."""
    return StatsReader().read(data)


def _read(data: bytes) -> tuple[bytes, Listing]:
    """Return the listing, and what is above its rows when each line below is a row."""
    file = BytesIO(data)
    heads = [_text(file.readline()) for _ in range(_HEAD_LINES)]
    if [line.split() for line in heads[1:]] != _HEADS:
        lines = _text(data).split("\n")
        return b"", Listing(unknown=tuple(line for line in lines if line.strip()))
    head, body = data[: file.tell()], data[file.tell() :]
    even = _even(body)
    return (head, even) if even else (b"", _careful(body))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _words(data: bytes) -> list[bytes] | None:
    """Split lines that are all rows, ``_WIDTH`` words each; None when one is not."""
    words = _split(data)
    ends = _ends(words)
    marks = _marks(words)
    is_even = (
        _END not in data
        and len(words) == _WIDTH * len(ends)
        and ends.count(_END) == len(ends) == data.count(b"\n")
        and _MARKS.issuperset(marks)
        and not any(one in data for one in _SEPARATORS)
    )
    return words if is_even and _is_plain(data, marks) else None


def _split(data: bytes) -> list[bytes]:
    return data.replace(b"\n", b" " + _END + b" ").split()


def _is_plain(data: bytes, marks: list[bytes]) -> bool:
    """Whether ``int`` takes nothing in it but digits: no ``1_0``, ``+1`` or ``-1``."""
    if not data.isascii() or b"_" in data or b"+" in data:
        return False
    return data.count(b"-") == marks.count(_SERVER)


def _marks(words: list[bytes]) -> list[bytes]:
    return words[0::_WIDTH]


def _names(words: list[bytes]) -> list[bytes]:
    return words[1::_WIDTH]


def _ends(words: list[bytes]) -> list[bytes]:
    return words[_WIDTH - 1 :: _WIDTH]


def _named(words: list[bytes]) -> bytes:
    """Return a digest of all but the numbers."""
    return digest(_marks(words) + _names(words) + _ends(words))


def _numbers(words: list[bytes]) -> Columns | None:
    """Return the counters of each row; None when a word is no number."""
    try:
        return tuple(whole(words[n::_WIDTH]) for n in range(2, 2 + COLUMNS))
    except (ValueError, OverflowError):
        return None


def _even(body: bytes) -> Listing | None:
    """Do what ``_careful`` does, block by block; None when not all lines are rows."""
    keys: list[str] = []
    columns: Columns = (zeros(0),) * COLUMNS
    file = BytesIO(body)
    while block := file.read(_BLOCK) + file.readline():
        words = _words(block)
        fresh = _numbers(words) if words else None
        if words is None or fresh is None:
            return None
        pairs = zip(columns, fresh, strict=True)
        columns = tuple(above + below for above, below in pairs) if keys else fresh
        keys += _keys(keys[-1] if keys else "", words)
    # Each row has a name of its own, and the first is a service.
    among = set(keys)
    is_whole = len(among) == len(keys) and "" not in among
    return Listing(_packed(keys), columns) if is_whole else None


def _keys(before: str, words: list[bytes]) -> list[str]:
    """Return the key of each row, "" for a server below no service.

    *before* is the key of the row above the first one.
    """
    keys = []
    service = " ".join(before.split()[:2])
    for mark, at in zip(_marks(words), _names(words), strict=True):
        name = at.decode()
        if mark != _SERVER:
            service = f"{mark.decode()} {name}"
            keys.append(service)
        else:
            keys.append(f"{service} {name}" if service else "")
    return keys


def _careful(body: bytes) -> Listing:
    """Read the lines below the headings one by one."""
    *lines, cut = _text(body).split("\n")
    rows: dict[str, Counters] = {}
    unknown: list[str] = []
    service = ""
    for line in lines:
        words = line.split()
        name, counters = words[:-COLUMNS], _counters(words[-COLUMNS:])
        key = _key(service, name)
        if name and name[0] != "->":
            service = key
        if key and counters and key not in rows:
            rows[key] = counters
        elif words:
            unknown.append(line)
    if cut.strip():
        unknown.append(cut)
    return Listing.of(rows, unknown)


def _key(service: str, name: Sequence[str]) -> str:
    """Return the key of a row, "" for words that are no name of a row."""
    match name:
        case ("->", server):
            return row_key(service, server) if service else ""
        case ("FWM", mark):
            return f"FWM {mark}"
        case ("FWM", mark, "IPv6"):
            return f"FWM {mark} IPv6"
        case (mark, place) if mark.encode() in _MARKS:
            return f"{mark} {place}"
    return ""


def _counters(words: Sequence[str]) -> Counters | None:
    text = "".join(words)
    if len(words) != COLUMNS or not (text.isdigit() and text.isascii()):
        return None
    try:
        found = Counters(*map(int, words))
    except ValueError:  # thousands of digits
        return None
    return found if max(found) <= UNKNOWN else None


def _packed(keys: Iterable[str]) -> bytes:
    text = "\n".join(keys)
    return zlib.compress(text.encode(), 1) if text else b""
