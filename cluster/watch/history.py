"""Graphs: the last hour of a cluster or of one row, as points two seconds apart.

The cluster's line comes from the live cache; where that is shorter than what was asked
for, and for a single row, it comes from readings in the database.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from cluster.lvs.counters import Counters
from cluster.lvs.frame import PERIOD
from cluster.lvs.rates import rates_between
from cluster.models import Reading
from cluster.watch import store
from cluster.watch.packing import unpack_row
from cluster.watch.sample import TOTAL

# A value counts for so long; after that the line has a gap.
CARRIED = 3 * PERIOD


class Point(NamedTuple):
    at: float
    conns: float | None
    active: float | None


def cluster_points(directors: Iterable[int], since: float, now: float) -> list[Point]:
    """Return connections per second and active ones, summed over all directors."""
    pks = list(directors)
    rings = store.ticks(pks, since)
    series = {}
    for pk in pks:
        ring = [Point(t.at, _known(t.conns), t.active) for t in rings.get(pk, ())]
        start = ring[0].at if ring else now
        older = (
            stored_points(pk, TOTAL, since, start) if start - since > CARRIED else []
        )
        series[pk] = [*older, *ring]
    return summed(series, since, now)


def row_points(
    directors: Iterable[int], key: str, since: float, now: float
) -> list[Point]:
    series = {pk: stored_points(pk, key, since, now) for pk in directors}
    return summed(series, since, now)


def stored_points(pk: int, key: str, since: float, until: float) -> list[Point]:
    """Return what the readings of one director say about one row."""
    start, end = (datetime.fromtimestamp(at, UTC) for at in (since, until))
    rows = Reading.objects.filter(director=pk, at__gte=start, at__lt=end)
    found = rows.order_by("at").values_list("at", "data")
    return list(_points(((at.timestamp(), bytes(data)) for at, data in found), key))


def _points(rows: Iterable[tuple[float, bytes]], key: str) -> Iterator[Point]:
    """Differences of counters; a row of counters may stand still for a few samples,
    because ipvsadm is asked less often than the table is read."""
    last: tuple[float, Counters] | None = None
    rate: float | None = None
    for at, data in rows:
        row = unpack_row(data, key)
        if row is None:
            last, rate = None, None
            continue
        if row.counters is not None:
            if last is None or at - last[0] > 2 * CARRIED:
                last, rate = (at, row.counters), None
            elif row.counters != last[1] or at - last[0] > CARRIED:
                rates = rates_between(last[1], row.counters, at - last[0])
                last, rate = (at, row.counters), rates.conns if rates else None
        yield Point(at, rate, row.active)


def summed(
    series: Mapping[int, Sequence[Point]], since: float, now: float
) -> list[Point]:
    """Add up directors whose samples fall at different moments.

    Each value is carried on for up to three periods; where no director has one, the
    point has no value.
    """
    places = dict.fromkeys(series, 0)
    points = []
    starts = [line[0].at for line in series.values() if line]
    if not starts:
        return []
    step = math.ceil(max(since, min(starts)) / PERIOD) * PERIOD
    while step <= now:
        current = []
        for pk, line in series.items():
            place = places[pk]
            while place < len(line) and line[place].at <= step:
                place += 1
            places[pk] = place
            if place and step - line[place - 1].at <= CARRIED:
                current.append(line[place - 1])
        points.append(
            Point(
                step,
                _sum(point.conns for point in current),
                _sum(point.active for point in current),
            )
        )
        step += PERIOD
    return points


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 2) if known else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
