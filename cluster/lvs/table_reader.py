"""/proc/net/ip_vs of one director, again and again, as ``kernel_table.py`` reads it once.

On a busy director most lines differ every two seconds, but only in their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import compress
from operator import ne

from cluster.lvs.kernel_table import (
    HEAD_LINES,
    KernelServer,
    KernelService,
    KernelTable,
    parse_table,
)

_WORDS = 6  # -> place, forward, weight, active, inactive
# KernelServer._make is written in Python.
_new = partial(tuple.__new__, KernelServer)


class TableReader:
    """Remembers the last table line by line, and parses the numbers that differ.

    *turns* counts the tables with other rows than the one before.
    """

    def __init__(self) -> None:
        self.turns = 0
        self._lines: list[str] = []
        self._table = KernelTable()
        self._servers: list[KernelServer] = []
        # Of each line the real server in it, -1 for none; of each real server the words
        # that name it. Both are empty when a line was not understood.
        self._places: list[int] = []
        self._names: list[tuple[str, str]] = []

    def read(self, text: str) -> KernelTable:
        lines = text.split("\n")
        if not self._update(lines):
            self._table = parse_table(text)
            self._index(lines)
            self.turns += 1
        self._lines = lines
        return self._table

    def _index(self, lines: Sequence[str]) -> None:
        self._places, self._names = [], []
        self._servers = [row for one in self._table.services for row in one.servers]
        if self._table.unknown:
            return
        for number, line in enumerate(lines):
            words = line.split()
            is_server = number >= HEAD_LINES and words[:1] == ["->"]
            self._places.append(len(self._names) if is_server else -1)
            if is_server:
                self._names.append((words[1], words[2]))
        if len(self._names) != len(self._servers):
            self._places = []

    def _update(self, lines: Sequence[str]) -> bool:
        """Take the numbers of real servers; False when anything else differs."""
        if len(lines) != len(self._lines) or not self._places:
            return False
        moved = [*compress(range(len(lines)), map(ne, lines, self._lines))]
        places = [self._places[n] for n in moved]
        if min(places, default=0) < 0:
            return False
        # A line that was cut off or is longer would shift the words of the next.
        words = " ".join([lines[n] for n in moved]).split()
        names = [self._names[place] for place in places]
        arrows = words[0::_WORDS]
        if len(words) != _WORDS * len(moved) or arrows.count("->") != len(moved):
            return False
        if [*zip(words[1::_WORDS], words[2::_WORDS], strict=True)] != names:
            return False
        return self._count(places, [words[n::_WORDS] for n in (3, 4, 5)])

    def _count(self, places: Sequence[int], columns: Sequence[list[str]]) -> bool:
        text = "".join(["".join(column) for column in columns])
        if text and not (text.isdigit() and text.isascii()):
            return False
        servers = self._servers
        olds = [servers[place] for place in places]
        named = [old.at for old in olds], [old.forward for old in olds]
        rows = map(_new, zip(*named, *(map(int, one) for one in columns), strict=True))
        for place, row in zip(places, rows, strict=True):
            servers[place] = row
        start, services = 0, []
        for service in self._table.services:
            end = start + len(service.servers)
            services.append(_with(service, tuple(servers[start:end])))
            start = end
        self._table = KernelTable(tuple(services))
        return True


def _with(service: KernelService, servers: tuple[KernelServer, ...]) -> KernelService:
    return KernelService(service.key, service.scheduler, service.persistent, servers)
