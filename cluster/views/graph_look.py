"""What somebody looks at on the graphs page: all of it is in the address.

``?of=TCP 10.0.1.31:80&range=24h&show=stack`` or ``?from=2026-11-25T08:00&to=...``; times
are UTC where they do not say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cluster.watch.levels import DAY, HOUR, QUARTER
from cluster.watch.packing import HOSTS, TOTAL, Series, series_of

SERVER, DIRECTOR = "server ", "director "
RANGES: dict[str, tuple[int, str | Promise]] = {
    "5m": (300, _("5 min")),
    "15m": (900, _("15 min")),
    "1h": (HOUR, _("1 h")),
    "6h": (6 * HOUR, _("6 h")),
    "24h": (DAY, _("24 h")),
    "7d": (7 * DAY, _("7 d")),
    "30d": (30 * DAY, _("30 d")),
    "1y": (365 * DAY, _("1 year")),
}
USUAL = "1h"
SUM, LINES, STACK = "sum", "lines", "stack"
SHOWS: dict[str, str | Promise] = {
    SUM: _("Sum"),
    LINES: _("Real servers as lines"),
    STACK: _("Real servers stacked"),
}
# New points come by the stream up to this range; the others move too slowly.
LIVE = HOUR
SHORTEST = 10.0
_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True)
class GraphLook:
    """*of* is "" for the cluster, else "server 10.0.1.6", "director lb01" or the key of
    a row; *since* and *until* are None unless the range was chosen freely."""

    of: str = ""
    range: str = USUAL
    since: float | None = None
    until: float | None = None
    show: str = SUM
    utc: bool = False
    error: str | Promise = ""

    @classmethod
    def read(cls, query: QueryDict, now: float) -> GraphLook:
        chosen, show = query.get("range", ""), query.get("show", "")
        look = cls(
            of=query.get("of", "").strip()[:_LONGEST_NAME],
            range=chosen if chosen in RANGES else USUAL,
            show=show if show in SHOWS else SUM,
            utc=query.get("tz") == "utc",
        )
        begin, end = query.get("from", ""), query.get("to", "")
        return look._between(begin, end, now) if begin or end else look

    def _between(self, begin: str, end: str, now: float) -> GraphLook:
        try:
            since = moment(begin)
            until = moment(end) if end else now
        except ValueError:
            said = _("A time is written like 2026-11-25T14:00, in UTC.")
            return replace(self, error=said)
        if until <= since:
            return replace(self, error=_("The end is not after the beginning."))
        if since < now - QUARTER.keep:
            return replace(self, error=_("Nothing is kept for longer than two years."))
        return replace(self, since=since, until=max(until, since + SHORTEST))

    @property
    def is_free(self) -> bool:
        return self.since is not None

    @property
    def is_live(self) -> bool:
        return not self.is_free and RANGES[self.range][0] <= LIVE

    @property
    def for_stream(self) -> GraphLook:
        """Return the part that changes the points."""
        return GraphLook(of=self.of, range=self.range, show=self.show)

    @property
    def series(self) -> Series:
        if self.of.startswith(SERVER):
            return (HOSTS, self.of.removeprefix(SERVER))
        if not self.of or self.of.startswith(DIRECTOR):
            return TOTAL
        return series_of(self.of)

    @property
    def parts_group(self) -> str | None:
        """Where the real servers of this are, None when it cannot be split."""
        group, name = self.series
        if name:
            return None
        return group or HOSTS

    @property
    def shown(self) -> str:
        return self.show if self.parts_group is not None else SUM

    def window(self, now: float) -> tuple[float, float]:
        if self.since is not None and self.until is not None:
            return self.since, self.until
        return now - RANGES[self.range][0], now

    @property
    def query(self) -> str:
        pairs = [("of", self.of)] if self.of else []
        if self.since is not None and self.until is not None:
            pairs += [("from", written(self.since)), ("to", written(self.until))]
        elif self.range != USUAL:
            pairs.append(("range", self.range))
        pairs += [("show", self.show)] if self.show != SUM else []
        pairs += [("tz", "utc")] if self.utc else []
        return f"?{urlencode(pairs)}"

    def of_range(self, name: str) -> GraphLook:
        return replace(self, range=name, since=None, until=None, error="")

    def showing(self, show: str) -> GraphLook:
        return replace(self, show=show, error="")

    def looking_at(self, of: str) -> GraphLook:
        return replace(self, of=of, error="")

    def in_utc(self, *, utc: bool) -> GraphLook:
        return replace(self, utc=utc, error="")

    def moved(self, now: float, shift: float, scale: float = 1.0) -> GraphLook:
        """Return the look *shift* of its length later, and *scale* times as long."""
        since, until = self.window(now)
        length = min(max((until - since) * scale, SHORTEST), 365.0 * DAY)
        middle = (since + until) / 2 + shift * (until - since)
        end = min(middle + length / 2, now)
        begin = max(end - length, now - QUARTER.keep + 1)
        return replace(self, since=begin, until=end, error="")


def moment(text: str) -> float:
    """Read a time of ISO 8601; raises ValueError."""
    found = datetime.fromisoformat(text.strip())
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found.timestamp()


def written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
