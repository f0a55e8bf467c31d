"""Frames of one director, one after the other, into samples that pages can show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cluster.lvs.counters import Counters
from cluster.lvs.facts import FactError, parse_addresses
from cluster.lvs.frame import PERIOD, Sections
from cluster.lvs.kernel_table import (
    KernelService,
    parse_totals,
    row_key,
)
from cluster.lvs.rates import Meter, Moment, Rates
from cluster.lvs.stats import Listing, StatsReader
from cluster.lvs.table_reader import TableReader
from cluster.watch.seldom import Seldom

TOTAL = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of one director at one moment.

    *at* is our clock when the frame came; *counted_at* when ipvsadm was last asked for
    the counters of the rows, None before the first time. *error* is its complaint.
    *sent_at* is the director's clock at the end of the frame, *listing* how many seconds
    ipvsadm takes and after how many it is asked again.
    """

    at: float
    boot_id: str
    loaded: bool
    addresses: tuple[str, ...]
    services: tuple[KernelService, ...] = ()
    totals: Counters | None = None
    counters: dict[str, Counters] = field(default_factory=dict)
    rates: dict[str, Rates | None] = field(default_factory=dict)
    counted_at: float | None = None
    error: str = ""
    sent_at: float = 0.0
    seldom: Seldom = field(default_factory=Seldom)
    listing: tuple[float, float] = (0.0, PERIOD)

    @property
    def total_rates(self) -> Rates | None:
        return self.rates.get(TOTAL)

    @property
    def active(self) -> int:
        return sum(service.active for service in self.services)

    @property
    def inactive(self) -> int:
        return sum(service.inactive for service in self.services)

    def as_json(self) -> dict[str, Any]:
        """Return what pages read from the live cache, see ``board.py``."""
        services = [self._service(service) for service in self.services]
        return self.head_as_json() | {"services": services}

    def head_as_json(self) -> dict[str, Any]:
        """Return what is known of the director itself."""
        return {
            "at": round(self.at, 3),
            "period": PERIOD,
            "boot_id": self.boot_id,
            "loaded": self.loaded,
            "error": self.error,
            "counted_at": self.counted_at,
            "addresses": self.addresses,
            "listing": list(self.listing),
            **self.seldom.as_json(),
            "active": self.active,
            "inactive": self.inactive,
            "totals": _numbers(self.totals),
            "rates": _per_second(self.total_rates),
        }

    def _service(self, service: KernelService) -> dict[str, Any]:
        return {
            "key": service.key,
            "scheduler": service.scheduler,
            "persistent": service.persistent,
            "counters": _numbers(self.counters.get(service.key)),
            "rates": _per_second(self.rates.get(service.key)),
            "servers": [
                {
                    "at": server.at,
                    "forward": server.forward,
                    "weight": server.weight,
                    "active": server.active,
                    "inactive": server.inactive,
                    "counters": _numbers(self.counters.get(key)),
                    "rates": _per_second(self.rates.get(key)),
                }
                for server in service.servers
                for key in (row_key(service.key, server.at),)
            ],
        }


def _numbers(counters: Counters | None) -> list[int] | None:
    return None if counters is None else list(counters)


def _per_second(rates: Rates | None) -> list[float] | None:
    return None if rates is None else list(rates)


class Sampler:
    """Remembers the last frame of a director, so that equal bytes are parsed once."""

    def __init__(self) -> None:
        self._addresses: tuple[str, ...] = ()
        self._forget()

    def _forget(self) -> None:
        self._rows = Meter()
        self._total = Meter()
        self._seldom = Seldom()
        self._asked = (0.0, PERIOD)
        self._table: bytes = b""
        self._table_reader = TableReader()
        self._services: tuple[KernelService, ...] = ()
        self._stats: bytes = b""
        self._counters: dict[str, Counters] = {}
        self._rates: dict[str, Rates | None] = {}
        self._counted_at: float | None = None
        self._error = ""
        self._strange: tuple[str, ...] = ()
        self._reader, self._listing = StatsReader(), Listing()

    def take(self, sections: Sections, moment: Moment, at: float) -> Sample:
        """Return the sample of one frame; raises ValueError when it makes no sense."""
        if sections.addresses is not None:
            self._addresses = _bound(sections.addresses)
        if sections.table is None:
            self._forget()
            return Sample(
                at, sections.boot_id, False, self._addresses, sent_at=moment.there
            )
        self._seldom = self._seldom.after(sections.seldom)
        if sections.table != self._table:
            self._list(sections.table)
        totals = parse_totals((sections.total or b"").decode("utf-8", "replace"))
        total = self._total.add(moment, sections.boot_id, {TOTAL: totals})
        if sections.stats is not None:
            self._count(sections, sections.stats, moment, at)
        return Sample(
            at=at,
            boot_id=sections.boot_id,
            loaded=True,
            addresses=self._addresses,
            services=self._services,
            totals=totals,
            counters=self._counters,
            rates={**self._rates, **total},
            counted_at=self._counted_at,
            error=self._error or _strange(self._strange + self._listing.unknown),
            sent_at=moment.there,
            seldom=self._seldom,
            listing=self._asked,
        )

    def _list(self, table: bytes) -> None:
        """Take the table, which comes more often than counters do: what has left it
        since has no counters any more, and may be another one when it is back."""
        before = self._table_reader.turns
        found = self._table_reader.read(table.decode("utf-8", "replace"))
        self._services, self._strange = found.services, found.unknown
        self._table = table
        if self._table_reader.turns == before:
            return
        keys = {
            row_key(service.key, server)
            for service in self._services
            for server in ("", *(server.at for server in service.servers))
        }
        if not self._counters.keys() <= keys:
            self._rows.keep(keys)
            self._counters = {k: v for k, v in self._counters.items() if k in keys}
            self._rates = {k: v for k, v in self._rates.items() if k in keys}
            self._stats = b""

    def _count(
        self, sections: Sections, stats: bytes, moment: Moment, at: float
    ) -> None:
        self._asked = sections.stats_seconds, max(sections.stats_pause, PERIOD)
        if sections.status:
            text = stats.decode("utf-8", "replace")
            self._error = text.strip()[:500] or f"exit status {sections.status}"
            self._counters, self._rates, self._stats = {}, {}, b""
            self._listing = Listing()
            return
        self._error = ""
        if stats != self._stats:
            self._listing, self._stats = self._reader.read(stats), stats
            self._counters = self._listing.rows
        self._rates = self._rows.add(moment, sections.boot_id, self._counters)
        self._counted_at = at


def _strange(lines: tuple[str, ...]) -> str:
    """Return the first of the lines that we could not read, and how many they are."""
    return f"{len(lines)} lines not understood: {lines[0][:200]}" if lines else ""


def _bound(text: bytes) -> tuple[str, ...]:
    """Return the addresses of the host, none when ``ip`` did not say them."""
    try:
        found = parse_addresses(text.decode("utf-8", "replace"))
    except (FactError, KeyError):
        return ()
    return tuple(sorted({str(bound.address) for bound in found}))
