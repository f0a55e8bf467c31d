"""Frames of one director, one after the other, into samples that pages can show."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field
from functools import cached_property

from cluster.lvs.columns import (
    COLUMNS,
    UNKNOWN,
    Columns,
    RateColumns,
    no_rates,
    picked,
    picked_rates,
    places_of,
    unknown,
)
from cluster.lvs.counters import Counters
from cluster.lvs.facts import FactError, parse_addresses
from cluster.lvs.frame import PERIOD, Sections
from cluster.lvs.kernel_table import parse_totals
from cluster.lvs.layout import TableColumns
from cluster.lvs.rates import Meter, Moment, Rates
from cluster.lvs.stats import Listing, StatsReader
from cluster.lvs.table_reader import TableReader
from cluster.watch.seldom import Seldom

TOTAL = ""


@dataclass(frozen=True)
class About:
    """What is known of a director besides numbers: the same object until it changes.

    *error* is the complaint of ipvsadm.
    """

    boot_id: str = ""
    loaded: bool = True
    addresses: tuple[str, ...] = ()
    error: str = ""
    seldom: Seldom = field(default_factory=Seldom)

    @cached_property
    def as_json(self) -> bytes:
        return json.dumps(
            {
                "boot_id": self.boot_id,
                "loaded": self.loaded,
                "error": self.error,
                "addresses": self.addresses,
                **self.seldom.as_json(),
            }
        ).encode()


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of one director at one moment.

    *at* is our clock when the frame came; *counted_at* when ipvsadm was last asked for
    the counters of the rows, None before the first time. *sent_at* is the director's
    clock at the end of the frame, *listing* how many seconds ipvsadm takes and after how
    many it is asked again. *columns* and *speeds* have a cell for each row of the table.
    """

    at: float
    about: About
    table: TableColumns
    columns: Columns
    speeds: RateColumns
    totals: Counters | None = None
    total_rates: Rates | None = None
    counted_at: float | None = None
    sent_at: float = 0.0
    listing: tuple[float, float] = (0.0, PERIOD)

    @property
    def error(self) -> str:
        return self.about.error

    @property
    def counters(self) -> dict[str, Counters]:
        """Return the counters of each row that has some, by its key."""
        rows = zip(self.table.layout.keys, zip(*self.columns, strict=True), strict=True)
        return {key: Counters(*row) for key, row in rows if row[0] != UNKNOWN}

    @property
    def rates(self) -> dict[str, Rates | None]:
        """Return the rates of each row, and of the whole under ``TOTAL``."""
        rows = zip(self.table.layout.keys, zip(*self.speeds, strict=True), strict=True)
        found = {key: known(row) for key, row in rows}
        return found | {TOTAL: self.total_rates}


def known(rates: tuple[float, ...]) -> Rates | None:
    return Rates(*rates) if rates[0] == rates[0] else None


class Sampler:
    """Remembers the last frame of a director, so that equal bytes are parsed once."""

    def __init__(self) -> None:
        self._addresses: tuple[str, ...] = ()
        self._forget()

    def _forget(self) -> None:
        self._about = About()
        self._total, self._rows = Meter(), Meter()
        self._asked = (0.0, PERIOD)
        self._text: bytes = b""
        self._table, self._table_reader = TableColumns(), TableReader()
        self._listing, self._stats_reader = Listing(), StatsReader()
        self._places: tuple[int, ...] | None = None
        self._counted_at: float | None = None
        self._error = ""
        self._nothing()

    def _nothing(self) -> None:
        """No row has counters now."""
        rows = len(self._table.layout.keys)
        self._columns: Columns = (unknown(rows),) * COLUMNS
        self._speeds: RateColumns = (no_rates(rows),) * COLUMNS
        self._missing: tuple[int, ...] = tuple(range(rows))

    def take(self, sections: Sections, moment: Moment, at: float) -> Sample:
        """Return the sample of one frame; raises ValueError when it makes no sense."""
        if sections.addresses is not None:
            self._addresses = _bound(sections.addresses)
        if sections.table is None:
            self._forget()
            self._tell(sections, loaded=False)
            return self._sample(at, moment, None, None)
        if sections.table != self._text:
            self._list(sections.table)
        totals = parse_totals((sections.total or b"").decode("utf-8", "replace"))
        five = tuple(array("Q", [number]) for number in totals)
        speeds = self._total.add(moment, sections.boot_id, five)
        if sections.stats is not None:
            self._count(sections, sections.stats, moment, at)
        self._tell(sections, loaded=True)
        total_rates = known(tuple(column[0] for column in speeds))
        return self._sample(at, moment, totals, total_rates)

    def _sample(
        self, at: float, moment: Moment, totals: Counters | None, rates: Rates | None
    ) -> Sample:
        return Sample(
            at,
            self._about,
            self._table,
            self._columns,
            self._speeds,
            totals,
            rates,
            self._counted_at,
            moment.there,
            self._asked,
        )

    def _tell(self, sections: Sections, *, loaded: bool) -> None:
        strange = self._table.unknown + self._listing.unknown
        error = self._error or _strange(strange)
        seldom = self._about.seldom.after(sections.seldom) if loaded else Seldom()
        about = About(sections.boot_id, loaded, self._addresses, error, seldom)
        if about != self._about:
            self._about = about

    def _list(self, text: bytes) -> None:
        """Take the table, which comes more often than counters do: what has left it
        since has no counters any more, and may be another one when it is back."""
        before = self._table.layout
        self._table = self._table_reader.read(text.decode("utf-8", "replace"))
        self._text = text
        if self._table.layout is before:
            return
        places = places_of(self._table.layout.keys, before.keys)
        self._rows.move(places)
        self._columns = tuple(picked(one, places, UNKNOWN) for one in self._columns)
        self._speeds = tuple(picked_rates(one, places) for one in self._speeds)
        self._places = None

    def _count(
        self, sections: Sections, stats: bytes, moment: Moment, at: float
    ) -> None:
        self._asked = sections.stats_seconds, max(sections.stats_pause, PERIOD)
        if sections.status:
            text = stats.decode("utf-8", "replace")
            self._error = text.strip()[:500] or f"exit status {sections.status}"
            self._listing, self._places = Listing(), None
            self._nothing()
            return
        self._error = ""
        self._align(self._stats_reader.read(stats))
        columns, missing = self._columns, self._missing
        self._speeds = self._rows.add(moment, sections.boot_id, columns, missing)
        self._counted_at = at

    def _align(self, listing: Listing) -> None:
        """Take the counters in the order of the table: ipvsadm has another one."""
        if listing is self._listing and self._places is not None:
            return
        if listing.keys is not self._listing.keys or self._places is None:
            self._places = places_of(self._table.layout.keys, listing.keys)
            self._missing = tuple(n for n, at in enumerate(self._places) if at < 0)
        self._listing, places = listing, self._places
        self._columns = tuple(picked(one, places, UNKNOWN) for one in listing.columns)


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
