"""/proc/net/ip_vs of one director, again and again, as ``kernel_table.py`` reads it once.

On a busy director most lines differ every two seconds, but only in their numbers: so
whatever else it says is compared as a whole, and the numbers are read column by column.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from cluster.lvs.columns import digest
from cluster.lvs.kernel_table import HEAD_LINES, parse_table
from cluster.lvs.layout import Layout, TableColumns

_WORDS = 6  # -> place, forward, weight, active, inactive
_NUMBERS = (4, 5)


class TableReader:
    """Remembers the last table. As long as it has the same rows, its layout is the same
    object."""

    def __init__(self) -> None:
        self._table = TableColumns()
        # Which lines are real servers, what names them, and all other lines. Nothing
        # when a line was not understood.
        self._servers = self._others = b""
        self._names, self._rest = b"", b""

    def read(self, data: bytes) -> TableColumns:
        lines = data.split(b"\n")
        self._table = self._again(lines) or self._whole(data, lines)
        return self._table

    def _whole(self, data: bytes, lines: Sequence[bytes]) -> TableColumns:
        found = parse_table(data.decode("utf-8", "replace"))
        table = TableColumns.of(found.services)
        layout = Layout.of(found.services)
        if layout == self._table.layout:
            layout = self._table.layout
        flags = [line.split()[:1] == [b"->"] for line in lines]
        flags[:HEAD_LINES] = [False] * len(flags[:HEAD_LINES])
        self._servers = self._others = b""
        if not found.unknown and sum(flags) == layout.servers:
            self._servers = bytes(flags)
            self._others = bytes(not one for one in flags)
            self._names = _named(b" ".join(compress(lines, self._servers)).split())
            self._rest = b"\n".join(compress(lines, self._others))
        numbers = table.weight, table.active, table.inactive
        return TableColumns(layout, *numbers, found.unknown)

    def _again(self, lines: Sequence[bytes]) -> TableColumns | None:
        """Take the numbers of real servers; None when anything else differs."""
        if len(lines) != len(self._servers):
            return None
        if b"\n".join(compress(lines, self._others)) != self._rest:
            return None
        # A line that was cut off or is longer would shift the words of the next.
        text = b" ".join(compress(lines, self._servers))
        words, layout = text.split(), self._table.layout
        count = layout.servers
        if len(words) != _WORDS * count or words[0::_WORDS].count(b"->") != count:
            return None
        if _named(words) != self._names or not _is_plain(text, count):
            return None
        try:
            active, inactive = ([*map(int, words[n::_WORDS])] for n in _NUMBERS)
            weight = self._table.weight
            return TableColumns.with_numbers(layout, weight, active, inactive)
        except (ValueError, OverflowError):
            return None


def _named(words: list[bytes]) -> bytes:
    """Return a digest of what seldom changes: where real servers are, how they get their
    packets, and their weights."""
    return digest(words[1::_WORDS] + words[2::_WORDS] + words[3::_WORDS])


def _is_plain(text: bytes, arrows: int) -> bool:
    """Whether ``int`` takes nothing in it but digits: no ``1_0``, ``+1`` or ``-1``."""
    if not text.isascii() or b"_" in text or b"+" in text:
        return False
    return text.count(b"-") == arrows
