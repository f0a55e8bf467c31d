"""The figures at the top of a live page: a number now, and a line of five minutes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.utils.translation import gettext as _

from cluster.numbers import bytes_rate, count, rate
from cluster.watch.sparks import POINTS, Line, Lines


@dataclass(frozen=True, slots=True)
class Kpi:
    """*value* as people read it, *values* the line below it."""

    label: str
    value: str
    values: tuple[float, ...]


def kpis(
    totals: Mapping[str, float | None], lines: tuple[Lines, ...], is_blind: bool
) -> list[Kpi]:
    """*is_blind*: replies pass all directors by, so nobody knows how many go out."""
    out = _("not seen") if is_blind else bytes_rate(totals["out_bytes"])
    passes_by = _("Outgoing: replies pass by")
    return [
        Kpi(_("Connections per second"), rate(totals["conns"]), spark(lines, "conns")),
        Kpi(_("Active connections"), count(totals["active"]), spark(lines, "active")),
        Kpi(
            _("Inactive connections"),
            count(totals["inactive"]),
            spark(lines, "inactive"),
        ),
        Kpi(_("Incoming"), bytes_rate(totals["in_bytes"]), spark(lines, "in_bytes")),
        Kpi(
            passes_by if is_blind else _("Outgoing"),
            out,
            () if is_blind else spark(lines, "out_bytes"),
        ),
    ]


def spark(lines: Iterable[Lines], name: str) -> tuple[float, ...]:
    """Return up to 30 points, oldest first: the sums of what the directors have.

    *name* is one of ``WHOLE``.
    """
    return _added_up(tuple((one.slot, one.whole.get(name, ())) for one in lines))


# They are new every ten seconds, and asked for with every tick.
@lru_cache(maxsize=256)
def _added_up(lines: tuple[tuple[int, Line], ...]) -> tuple[float, ...]:
    """Each line ends with the point before its slot."""
    rows = []
    for slot, line in lines:
        points = enumerate(line, start=slot - len(line))
        rows.append({place: point for place, point in points if point is not None})
    rows = [row for row in rows if row]
    places = sorted({place for row in rows for place in row})
    # One director is a point before the other: no fall to what the first one has.
    if places and not all(places[-1] in row for row in rows):
        places.pop()
    sums = (sum(row.get(place, 0.0) for row in rows) for place in places[-POINTS:])
    return tuple(round(total, 2) for total in sums)
