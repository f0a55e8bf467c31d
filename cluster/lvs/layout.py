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
from typing import NamedTuple, Self

from cluster.lvs.kernel_table import BLIND, MOST, KernelServer, KernelService, row_key


class ServiceRow(NamedTuple):
    """A service; *servers* is how many real servers it has."""

    key: str
    scheduler: str
    persistent: bool
    servers: int


class ServerRow(NamedTuple):
    at: str
    forward: str


@dataclass(frozen=True)
class Layout:
    """All services in the order of the kernel, then the real servers of each."""

    services: tuple[ServiceRow, ...] = ()
    servers: tuple[ServerRow, ...] = ()

    @classmethod
    def of(cls, services: Iterable[KernelService]) -> Self:
        found = tuple(services)
        return cls(
            tuple(
                ServiceRow(one.key, one.scheduler, one.persistent, len(one.servers))
                for one in found
            ),
            tuple(
                ServerRow(server.at, server.forward)
                for one in found
                for server in one.servers
            ),
        )

    @cached_property
    def packed(self) -> bytes:
        """Return it in few bytes, for ``unpacked``."""
        rows = (*self.services, *self.servers)
        return zlib.compress("\n".join("\t".join(map(str, r)) for r in rows).encode())

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Return the key of each row."""
        names = [service.key for service in self.services]
        for service, (start, end) in zip(self.services, self.spans, strict=True):
            below = self.servers[start:end]
            names += [row_key(service.key, server.at) for server in below]
        return tuple(names)

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Return from where to where the servers of each service are."""
        counts = [service.servers for service in self.services]
        return tuple(pairwise(accumulate(counts, initial=0)))

    @cached_property
    def blind(self) -> tuple[int, ...]:
        """Return the rows whose replies pass the director by."""
        misses = [server.forward in BLIND for server in self.servers]
        own = [
            n
            for n, (start, end) in enumerate(self.spans)
            if start < end and all(misses[start:end])
        ]
        first = len(self.services)
        return (*own, *(first + n for n, one in enumerate(misses) if one))

    @cached_property
    def sees_replies(self) -> bool:
        """Whether there is a service whose replies the director sees, or none at all."""
        services = len(self.services)
        return not services or sum(n < services for n in self.blind) < services

    def sums(self, numbers: Sequence[int]) -> array[int]:
        """Return numbers of the real servers as a column of all rows."""
        upto = [0, *accumulate(numbers)]
        sums = [upto[j] - upto[i] for i, j in self.spans]
        if upto[-1] > MOST:
            sums = [min(number, MOST) for number in sums]
        return array("I", [*sums, *numbers])


def _none() -> array[int]:
    return array("I")


@lru_cache(maxsize=1024)
def unpacked(data: bytes) -> Layout:
    """Return what was packed; raises ValueError when it is not ours."""
    try:
        lines = zlib.decompress(data).decode().split("\n")
        rows = [line.split("\t") for line in lines if line]
        services = [row for row in rows if len(row) == len(ServiceRow._fields)]
        servers = [ServerRow(*row) for row in rows[len(services) :]]
        found = Layout(
            tuple(
                ServiceRow(key, scheduler, persistent == "True", int(count))
                for key, scheduler, persistent, count in services
            ),
            tuple(servers),
        )
    except (zlib.error, TypeError) as error:
        raise ValueError("not a layout") from error
    if sum(service.servers for service in found.services) != len(servers):
        raise ValueError("not a layout")
    return found


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
        """Take the numbers of the real servers, 32 bits each."""
        return cls(layout, weight, layout.sums(active), layout.sums(inactive), unknown)

    @property
    def services(self) -> tuple[KernelService, ...]:
        """Return it as ``parse_table`` does."""
        first = len(self.layout.services)
        columns = (self.weight, self.active[first:], self.inactive[first:])
        numbers = zip(self.layout.servers, *columns, strict=True)
        servers = tuple(KernelServer(*row, *three) for row, *three in numbers)
        return tuple(
            KernelService(key, scheduler, persistent, servers[start:end])
            for (key, scheduler, persistent, _count), (start, end) in zip(
                self.layout.services, self.layout.spans, strict=True
            )
        )

    @property
    def all_active(self) -> int:
        return sum(self.active[: len(self.layout.services)])

    @property
    def all_inactive(self) -> int:
        return sum(self.inactive[: len(self.layout.services)])
