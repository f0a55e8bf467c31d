"""What the graphs are drawn from: series of directors, at the level that fits.

Coarse levels end where the last of them is complete; what is newer comes from finer
ones, and the last minutes from readings that are not rolled up yet.
"""

from __future__ import annotations

import math
import time
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence

from cluster.models import HistoryChunk, HistoryMark, Reading
from cluster.watch.chunks import decode
from cluster.watch.levels import DAY, HOUR, MINUTE, QUARTER, RAW, Level
from cluster.watch.packing import WIDTH, names_of, row
from cluster.watch.points import Points, Stretch, points, summed

# Points of a line: more than a screen has room for would only take longer.
MOST = 1500
_NOT_THERE = (math.nan,) * WIDTH
_By = dict[str, list[Stretch]]


def level_for(since: float, until: float, now: float) -> Level:
    """Return the finest level that still has *since* and is not too much to read."""
    span = until - since
    if span <= 2 * HOUR and since >= now - RAW.keep:
        return RAW
    if span <= 2 * DAY and since >= now - MINUTE.keep:
        return MINUTE
    return QUARTER


def step_for(level: Level, span: float) -> int:
    """Return the seconds from one point to the next, a multiple of the level's."""
    return level.step * max(math.ceil(span / level.step / MOST), 1)


def read(
    directors: Iterable[int],
    group: str,
    names: Collection[str],
    since: float,
    until: float,
) -> dict[str, Points]:
    """Return the points of some series of one group, added up over the directors.

    An empty *names* means all that the group has. A series without a reading is left
    out, unless it was asked for.
    """
    level = level_for(since, until, time.time())
    step = step_for(level, until - since)
    found: dict[str, list[Points]] = {name: [] for name in names}
    for pk in directors:
        stretches = stored(pk, group, names, level, since, until)
        for name, parts in stretches.items():
            lines = found.setdefault(name, [])
            lines.append(points(parts, since, until, step))
    nothing = points((), since, until, step)
    return {name: summed(lines or [nothing]) for name, lines in found.items()}


def stored(
    pk: int,
    group: str,
    names: Collection[str],
    level: Level,
    since: float,
    until: float,
) -> _By:
    """Return what is stored of one director, in the order of time.

    Readings first: what is rolled up meanwhile is then found twice, and once is enough.
    """
    rows = Reading.objects.filter(director=pk, at__gte=since, at__lt=until)
    fresh = [
        (at, bytes(data)) for at, data in rows.order_by("at").values_list("at", "data")
    ]
    mark = HistoryMark.objects.filter(director=pk).values_list("until", flat=True)
    rolled = mark.first() or 0
    found: _By = {}
    ends = [(level, rolled)]
    if level is QUARTER:
        complete = rolled // QUARTER.step * QUARTER.step
        ends = [(QUARTER, complete), (MINUTE, rolled)]
    start = since
    for one, end in ends:
        stop = min(end, until)
        if start < stop:
            _chunks(found, pk, group, names, one, start, stop)
            start = stop
    fresh = [(at, data) for at, data in fresh if at >= rolled]
    if fresh:
        _readings(found, fresh, group, names)
    return found


def _chunks(
    found: _By,
    pk: int,
    group: str,
    names: Collection[str],
    level: Level,
    since: float,
    until: float,
) -> None:
    chunks = HistoryChunk.objects.filter(
        director=pk,
        group=group,
        level=level.number,
        start__gte=level.start(since),
        start__lt=until,
    )
    unit = 0.001 if level is RAW else level.step
    for begin, data in chunks.order_by("start").values_list("start", "data"):
        block = decode(bytes(data), names or None)
        times = array("d", [begin + place * unit for place in block.axis])
        i, j = _between(times, since, until)
        for name, columns in block.series.items():
            cut = [column[i:j] for column in columns]
            found.setdefault(name, []).append(Stretch(times[i:j], cut))


def _between(times: Sequence[float], since: float, until: float) -> tuple[int, int]:
    return bisect_left(times, since), bisect_left(times, until)


def _readings(
    found: _By,
    fresh: Sequence[tuple[float, bytes]],
    group: str,
    names: Collection[str],
) -> None:
    """Take readings that are not rolled up; a row that came or went has holes."""
    datas = [data for _at, data in fresh]
    times = array("d", [at for at, _data in fresh])
    for name in names or dict.fromkeys(n for d in datas for n in names_of(d, group)):
        rows = [row(data, (group, name)) for data in datas]
        if not any(rows):
            continue
        columns = zip(*(values or _NOT_THERE for values in rows), strict=True)
        stretch = Stretch(times, [array("f", column) for column in columns])
        found.setdefault(name, []).append(stretch)
