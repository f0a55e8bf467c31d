"""The rows of a running table without their numbers, and the numbers as columns.

A busy director has other numbers every two seconds and the same rows for weeks: the
layout is one object for as long as they are the same, and what follows from it is worked
out once.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from operator import sub
from typing import NamedTuple, Self

from cluster.lvs.kernel_table import BLIND, MOST, KernelServer, KernelService, row_key


class ServiceRow(NamedTuple):
    """A service; *servers* is how many real servers it has."""

    key: str
    scheduler: str
    persistent: bool
    servers: int


class _Rows(NamedTuple):
    """What is packed in a layout."""

    services: tuple[ServiceRow, ...]
    endpoints: tuple[str, ...]
    forwards: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """All services in the order of the kernel, then the real servers of each: where they
    are, and how they get their packets.

    A watcher has one for each director and asks little more of it than how many rows
    there are, so it is kept compressed: a tenth of what the rows take as objects. Pages
    read the rows again and again: for them one *keeps_rows*.
    """

    packed: bytes = zlib.compress(b"")
    keeps_rows: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, services: Iterable[KernelService]) -> Self:
        rows: list[tuple[object, ...]] = []
        below: list[tuple[object, ...]] = []
        for one in services:
            count = len(one.servers)
            rows.append(ServiceRow(one.key, one.scheduler, one.persistent, count))
            below += [(server.at, server.forward) for server in one.servers]
        lines = ["\t".join(map(str, row)) for row in (*rows, *below)]
        return cls(zlib.compress("\n".join(lines).encode()))

    @property
    def services(self) -> tuple[ServiceRow, ...]:
        return self._unpacked().services

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._unpacked().endpoints

    @property
    def forwards(self) -> tuple[str, ...]:
        return self._unpacked().forwards

    def _unpacked(self) -> _Rows:
        return self._kept if self.keeps_rows else _unpack(self.packed)

    @cached_property
    def _kept(self) -> _Rows:
        return _unpack(self.packed)

    @cached_property
    def rows(self) -> int:
        """Return how many there are."""
        return len(self._ends) + self.servers

    @cached_property
    def first(self) -> int:
        """Return the row of the first real server: so many services are before it."""
        return len(self._ends)

    @property
    def servers(self) -> int:
        """Return how many real servers there are in all services."""
        return self._ends[-1] if self._ends else 0

    def keys(self) -> tuple[str, ...]:
        """Return the key of each row. Nobody needs them often, so they are not kept."""
        found = self._unpacked()
        names = [service.key for service in found.services]
        for service, (start, end) in zip(found.services, self.spans, strict=True):
            names += [row_key(service.key, at) for at in found.endpoints[start:end]]
        return tuple(names)

    @cached_property
    def _ends(self) -> array[int]:
        """Up to where the servers of each service are."""
        return array("I", accumulate(one.servers for one in self._unpacked().services))

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Return from where to where the servers of each service are."""
        return tuple(pairwise((0, *self._ends)))

    @cached_property
    def blind(self) -> Sequence[int]:
        """Return the rows whose replies pass the director by."""
        misses = [forward in BLIND for forward in self._unpacked().forwards]
        own = [
            n
            for n, (start, end) in enumerate(self.spans)
            if start < end and all(misses[start:end])
        ]
        found = [*own, *(self.first + n for n, one in enumerate(misses) if one)]
        return range(self.rows) if len(found) == self.rows else array("I", found)

    @cached_property
    def sees_replies(self) -> bool:
        """Whether there is a service whose replies the director sees, or none at all."""
        return not self.first or sum(n < self.first for n in self.blind) < self.first

    def sums(self, numbers: Sequence[int]) -> array[int]:
        """Return numbers of the real servers as a column of all rows, whose services have
        the sums. Raises OverflowError when a number is above ``MOST``."""
        upto = [0, *accumulate(numbers)]
        ends = [upto[end] for end in self._ends]
        sums = [*map(sub, ends, (0, *ends))]
        if upto[-1] > MOST:
            sums = [min(number, MOST) for number in sums]
        return array("I", [*sums, *numbers])


def _none() -> array[int]:
    return array("I")


@lru_cache(maxsize=1024)
def unpacked(data: bytes) -> Layout:
    """Return what was packed, with its rows; raises ValueError when it is not ours."""
    try:
        found = Layout(data, keeps_rows=True)
        whole = found.servers == len(found.endpoints)
    except (zlib.error, ValueError, OverflowError) as error:
        raise ValueError("not a layout") from error
    if not whole:
        raise ValueError("not a layout")
    return found


def _unpack(data: bytes) -> _Rows:
    lines = zlib.decompress(data).decode().split("\n")
    rows = [line.split("\t") for line in lines if line]
    services = [row for row in rows if len(row) == len(ServiceRow._fields)]
    servers = [(at, forward) for at, forward in rows[len(services) :]]
    return _Rows(
        tuple(
            ServiceRow(key, scheduler, persistent == "True", int(count))
            for key, scheduler, persistent, count in services
        ),
        tuple(at for at, _forward in servers),
        tuple(forward for _at, forward in servers),
    )


@dataclass(frozen=True, slots=True)
class TableColumns:
    """A table: *weight* of the real servers, and connections of all rows.

    *unknown* are the lines that were not understood.
    """

    layout: Layout = field(default_factory=Layout)
    weight: array[int] = field(default_factory=_none)
    active: array[int] = field(default_factory=_none)
    inactive: array[int] = field(default_factory=_none)
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, services: Iterable[KernelService]) -> Self:
        found = tuple(services)
        layout = Layout.of(found)
        servers = [server for one in found for server in one.servers]
        return cls.with_numbers(
            layout,
            array("I", [server.weight for server in servers]),
            [server.active for server in servers],
            [server.inactive for server in servers],
        )

    @classmethod
    def with_numbers(
        cls,
        layout: Layout,
        weight: array[int],
        active: Sequence[int],
        inactive: Sequence[int],
        unknown: tuple[str, ...] = (),
    ) -> Self:
        """Take the numbers of the real servers. Raises OverflowError above ``MOST``."""
        return cls(layout, weight, layout.sums(active), layout.sums(inactive), unknown)

    @property
    def services(self) -> tuple[KernelService, ...]:
        """Return it as ``parse_table`` does."""
        first = self.layout.first
        names = self.layout.endpoints, self.layout.forwards
        numbers = self.weight, self.active[first:], self.inactive[first:]
        rows = zip(*names, *numbers, strict=True)
        servers = tuple(KernelServer(*row) for row in rows)
        return tuple(
            KernelService(key, scheduler, persistent, servers[start:end])
            for (key, scheduler, persistent, _count), (start, end) in zip(
                self.layout.services, self.layout.spans, strict=True
            )
        )

    @property
    def all_active(self) -> int:
        return sum(self.active[: self.layout.first])

    @property
    def all_inactive(self) -> int:
        return sum(self.inactive[: self.layout.first])
