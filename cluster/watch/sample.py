"""Frames of one director, one after the other, into samples that pages can show."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property

from cluster.lvs.columns import (
    COLUMNS,
    UNKNOWN,
    Columns,
    Picks,
    RateColumns,
    no_rates,
    unknown,
)
from cluster.lvs.counters import Counters
from cluster.lvs.facts import FactError, parse_addresses
from cluster.lvs.frame import PERIOD, Sections
from cluster.lvs.kernel_table import parse_totals
from cluster.lvs.layout import TableColumns
from cluster.lvs.rates import Meter, Moment, Rates, TotalMeter
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
        keys = self.table.layout.keys()
        rows = zip(keys, zip(*self.columns, strict=True), strict=True)
        return {key: Counters(*row) for key, row in rows if row[0] != UNKNOWN}

    @property
    def rates(self) -> dict[str, Rates | None]:
        """Return the rates of each row, and of the whole under ``TOTAL``."""
        keys = self.table.layout.keys()
        rows = zip(keys, zip(*self.speeds, strict=True), strict=True)
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
        self._told: tuple[object, ...] = ()
        self._total, self._rows = TotalMeter(), Meter()
        self._totals = Counters(0, 0, 0, 0, 0)
        self._asked = (0.0, PERIOD)
        self._text: bytes | None = None
        self._table, self._table_reader = TableColumns(), TableReader()
        self._listing, self._stats_reader = Listing(), StatsReader()
        self._picks: Picks | None = None
        self._counted_at: float | None = None
        # The number of the frame whose counters these are.
        self._counted_in: int | None = None
        self._error = ""
        self._nothing()

    def _nothing(self) -> None:
        """No row has counters now."""
        rows = self._table.layout.rows
        self._columns: Columns = (unknown(rows),) * COLUMNS
        self._speeds: RateColumns = (no_rates(rows),) * COLUMNS

    def take(self, sections: Sections, moment: Moment, at: float) -> Sample:
        """Return the sample of one frame; raises ValueError when it makes no sense."""
        if sections.addresses is not None:
            self._addresses = _bound(sections.addresses)
        if sections.table is not None:
            if sections.table != self._text:
                self._list(sections.table)
            total = sections.total or b""
            self._totals = parse_totals(total.decode("utf-8", "replace"))
        elif sections.at_rest is None:
            self._forget()
            self._tell(sections, loaded=False)
            return self._sample(at, moment, None, None)
        elif sections.at_rest != self._counted_in:
            raise ValueError(f"number {sections.at_rest}, which holds, has not come")
        totals = self._totals
        total_rates = self._total.add(moment, sections.boot_id, totals)
        if sections.stats is not None:
            self._count(sections, sections.stats, moment, at)
        elif sections.at_rest is not None and sections.at_rest == self._counted_in:
            self._counted(sections, moment, at)
        self._tell(sections, loaded=True)
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
        told = sections.boot_id, loaded, self._addresses, error, seldom
        if told != self._told:
            self._told = told
            self._about = About(
                sections.boot_id, loaded, self._addresses, error, seldom
            )

    def _list(self, text: bytes) -> None:
        """Take the table, which comes more often than counters do: what has left it
        since has no counters any more, and may be another one when it is back."""
        before = self._table.layout
        table = self._table_reader.read(text)
        stands_still = table == self._table
        # The text is only kept of one that stands still: then it saves reading it.
        self._text = text if stands_still else None
        if not stands_still:
            self._table = table
        if table.layout is before:
            return
        picks = Picks(self._table.layout.keys(), before.keys())
        self._rows.move(picks)
        self._columns = tuple(map(picks.counters, self._columns))
        self._speeds = tuple(map(picks.rates, self._speeds))
        self._picks = None

    def _count(
        self, sections: Sections, stats: bytes, moment: Moment, at: float
    ) -> None:
        self._asked = sections.stats_seconds, max(sections.stats_pause, PERIOD)
        if sections.status:
            text = stats.decode("utf-8", "replace")
            self._error = text.strip()[:500] or f"exit status {sections.status}"
            self._listing, self._picks = Listing(), None
            self._nothing()
            return
        self._error = ""
        self._counted_in = sections.stats_number
        self._align(self._stats_reader.read(stats))
        self._counted(sections, moment, at)

    def _counted(self, sections: Sections, moment: Moment, at: float) -> None:
        """Take the counters as they are for those of this moment."""
        missing = self._picks.missing if self._picks else ()
        self._speeds = self._rows.add(moment, sections.boot_id, self._columns, missing)
        self._counted_at = at

    def _align(self, listing: Listing) -> None:
        """Take the counters in the order of the table: ipvsadm has another one."""
        picks = self._picks
        if listing is self._listing and picks is not None:
            return
        if picks is None or listing.names is not self._listing.names:
            picks = Picks(self._table.layout.keys(), listing.keys)
        self._listing, self._picks = listing, picks
        self._columns = tuple(map(picks.counters, listing.columns))


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
