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


@dataclass(frozen=True)
class Layout:
    """All services in the order of the kernel, then the real servers of each: where they
    are (one text, a line each: a fifth of what as many texts take), and how they get
    their packets."""

    services: tuple[ServiceRow, ...] = ()
    places: str = ""
    forwards: tuple[str, ...] = ()

    @classmethod
    def of(cls, services: Iterable[KernelService]) -> Self:
        found = tuple(services)
        servers = [server for one in found for server in one.servers]
        return cls(
            tuple(
                ServiceRow(one.key, one.scheduler, one.persistent, len(one.servers))
                for one in found
            ),
            "\n".join(server.at for server in servers),
            tuple(server.forward for server in servers),
        )

    @cached_property
    def packed(self) -> bytes:
        """Return it in few bytes, for ``unpacked``."""
        servers = zip(self.endpoints, self.forwards, strict=True)
        rows = (*self.services, *servers)
        return zlib.compress("\n".join("\t".join(map(str, r)) for r in rows).encode())

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(self.places.split("\n")) if self.places else ()

    @property
    def rows(self) -> int:
        return len(self.services) + len(self.forwards)

    def keys(self) -> tuple[str, ...]:
        """Return the key of each row. Nobody needs them often, so they are not kept."""
        names = [service.key for service in self.services]
        endpoints = self.endpoints
        for service, (start, end) in zip(self.services, self.spans, strict=True):
            below = endpoints[start:end]
            names += [row_key(service.key, server) for server in below]
        return tuple(names)

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Return from where to where the servers of each service are."""
        counts = [service.servers for service in self.services]
        return tuple(pairwise(accumulate(counts, initial=0)))

    @cached_property
    def blind(self) -> tuple[int, ...]:
        """Return the rows whose replies pass the director by."""
        misses = [forward in BLIND for forward in self.forwards]
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
        """Return numbers of the real servers as a column of all rows, whose services have
        the sums. Raises OverflowError when a number is above ``MOST``."""
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
        servers = [(at, forward) for at, forward in rows[len(services) :]]
        found = Layout(
            tuple(
                ServiceRow(key, scheduler, persistent == "True", int(count))
                for key, scheduler, persistent, count in services
            ),
            "\n".join(at for at, _forward in servers),
            tuple(forward for _at, forward in servers),
        )
    except (zlib.error, ValueError) as error:
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
        """Take the numbers of the real servers. Raises OverflowError above ``MOST``."""
        return cls(layout, weight, layout.sums(active), layout.sums(inactive), unknown)

    @property
    def services(self) -> tuple[KernelService, ...]:
        """Return it as ``parse_table`` does."""
        first = len(self.layout.services)
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
        return sum(self.active[: len(self.layout.services)])

    @property
    def all_inactive(self) -> int:
        return sum(self.inactive[: len(self.layout.services)])
