"""Readings become history: each is read once, and is gone when its history is there.

One transaction per director and five minutes deletes the readings, writes the chunks
that they became, and moves the mark. So a worker may die at any point, and nothing is
counted twice: of two that roll up the same readings, only the one commits that finds
the mark as it has read it. All computing is done before the transaction begins.

A quarter of an hour is rolled up from its minutes when it is over. Readings that come
late, after their time was rolled up, are merged into what is there.
"""

from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from operator import add

from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Q

from cluster.models import HistoryChunk, HistoryMark, Host, HostEvent, Reading
from cluster.watch import levels
from cluster.watch.chunks import Block, decode, encode, merged
from cluster.watch.levels import MINUTE, QUARTER, RAW, Level
from cluster.watch.packing import WIDTH, Layout, boot_of, floats, split

log = logging.getLogger(__name__)

# A watcher has written its readings after so many seconds.
LATE = 15.0
# One task works for so long; the tick rings again.
BUDGET = 4.0
_TURN, _TURN_SECONDS = "roll-up", 60
_AT_ONCE = 500

# (group, start of the chunk)
Key = tuple[str, int]
Blocks = dict[Key, Block]


def roll_up(now: float | None = None) -> int:
    """Roll up what is due, for a few seconds; return how often something was."""
    if not cache.add(_TURN, 1, _TURN_SECONDS):
        return 0
    end, folds = time.monotonic() + BUDGET, 0
    try:
        for pk in due(time.time() if now is None else now):
            while fold(pk, time.time() if now is None else now):
                folds += 1
                if time.monotonic() > end:
                    return folds
    finally:
        cache.delete(_TURN)
    return folds


def horizon(now: float) -> int:
    """Return up to which time readings can be rolled up."""
    return RAW.start(now - LATE)


def due(now: float) -> list[int]:
    behind = Q(history_mark__isnull=True) | Q(history_mark__until__lt=horizon(now))
    found = Host.objects.directors().filter(behind).order_by("history_mark__until")
    return list(found.values_list("pk", flat=True))


def fold(director: int, now: float) -> bool:
    """Roll up the oldest five minutes of readings; False when there are none, or when
    another worker was faster."""
    mark, _made = HistoryMark.objects.get_or_create(director_id=director)
    end = horizon(now)
    waiting = Reading.objects.filter(director=director, at__lt=end).order_by("at")
    oldest = waiting.values_list("at", flat=True).first()
    if oldest is None:
        if mark.until >= end:
            return False
        work = Work(mark, end)
    else:
        slot = RAW.start(oldest)
        rows = waiting.filter(at__lt=slot + RAW.span).values_list("pk", "at", "data")
        work = Work(mark, max(mark.until, slot + RAW.span))
        work.take(slot, [(pk, at, bytes(data)) for pk, at, data in rows])
    work.close_quarters()
    return work.write() and oldest is not None


class Work:
    """What one transaction will write; made from what was read before."""

    def __init__(self, mark: HistoryMark, until: int) -> None:
        self.mark, self.until = mark, until
        self.director = mark.director_id
        self.boot = mark.boot
        self._slot: int | None = None
        self._taken: list[int] = []
        self._events: list[HostEvent] = []
        self._raw: Blocks = {}
        self._minutes: Blocks = {}
        self._quarters: Blocks = {}

    def take(self, slot: int, rows: Sequence[tuple[int, float, bytes]]) -> None:
        """Roll up the readings of the five minutes from *slot* on."""
        self._slot = slot
        self._taken = [pk for pk, _at, _data in rows]
        readable = [(at, data) for _pk, at, data in rows if _is_readable(data)]
        self._find_boots(readable)
        hour = MINUTE.start(slot)
        here = Q(level=RAW.number, start=slot) | Q(level=MINUTE.number, start=hour)
        kept = self._kept(here)
        for group, block in raw_blocks(slot, readable).items():
            minutes = levels.minutes_of(block, slot - hour)
            old = kept.get((RAW.number, group, slot))
            self._raw[group, slot] = merged(old, block, _newer) if old else block
            old = kept.get((MINUTE.number, group, hour))
            self._minutes[group, hour] = (
                merged(old, minutes, levels.both) if old else minutes
            )

    def close_quarters(self) -> None:
        """Roll up the minutes of each quarter of an hour that has come to its end."""
        since = self.mark.until or self.until
        first = min(since, self._slot if self._slot is not None else since)
        if not any(self._closes(at) for at in _quarters(first, self.until)):
            return
        hours = Q(level=MINUTE.number, start__gte=MINUTE.start(first - 1))
        kept = self._kept(hours & Q(start__lt=self.until))
        found = {(group, start): block for (_, group, start), block in kept.items()}
        closed: Blocks = {}
        for (group, hour), block in (found | self._minutes).items():
            day = QUARTER.start(hour)
            for quarter in range(MINUTE.span // QUARTER.step):
                if not self._closes(hour + quarter * QUARTER.step):
                    continue
                rolled = levels.quarter_of(block, quarter, hour - day)
                if rolled is not None:
                    old = closed.get((group, day))
                    closed[group, day] = merged(old, rolled, _newer) if old else rolled
        self._merge_quarters(closed)

    def _closes(self, quarter: int) -> bool:
        """Say whether the quarter that starts there is to be rolled up now."""
        end = quarter + QUARTER.step
        if self._slot is not None and quarter <= self._slot < end <= self.until:
            return True
        return bool(self.mark.until) and self.mark.until < end <= self.until

    def _merge_quarters(self, closed: Blocks) -> None:
        days = {day for _group, day in closed}
        kept = self._kept(Q(level=QUARTER.number, start__in=days)) if days else {}
        for (group, day), block in closed.items():
            old = kept.get((QUARTER.number, group, day))
            self._quarters[group, day] = merged(old, block, _newer) if old else block

    def _kept(self, which: Q) -> dict[tuple[int, str, int], Block]:
        chunks = HistoryChunk.objects.filter(which, director=self.director)
        rows = chunks.values_list("level", "group", "start", "data")
        return {(n, g, start): decode(bytes(data)) for n, g, start, data in rows}

    def _find_boots(self, rows: Sequence[tuple[float, bytes]]) -> None:
        for at, data in rows:
            boot = boot_of(data)
            if boot != self.boot and self.boot:
                moment = datetime.fromtimestamp(at, UTC)
                kind = HostEvent.Kind.REBOOTED
                event = HostEvent(host_id=self.director, at=moment, kind=kind)
                self._events.append(event)
            self.boot = boot

    def write(self) -> bool:
        """Write all of it, or nothing; False when another worker was faster."""
        chunks = [
            *self._chunks(RAW, self._raw),
            *self._chunks(MINUTE, self._minutes),
            *self._chunks(QUARTER, self._quarters),
        ]
        with transaction.atomic():
            as_read = HistoryMark.objects.filter(pk=self.mark.pk, folds=self.mark.folds)
            fields = {"until": self.until, "boot": self.boot, "folds": F("folds") + 1}
            if not as_read.update(**fields):
                return False
            HistoryChunk.objects.bulk_create(
                chunks,
                update_conflicts=True,
                unique_fields=["director", "group", "level", "start"],
                update_fields=["data"],
            )
            HostEvent.objects.bulk_create(self._events, ignore_conflicts=True)
            for n in range(0, len(self._taken), _AT_ONCE):
                pks = self._taken[n : n + _AT_ONCE]
                Reading.objects.filter(pk__in=pks).delete()
        return True

    def _chunks(self, level: Level, blocks: Blocks) -> Iterator[HistoryChunk]:
        for (group, start), block in blocks.items():
            yield HistoryChunk(
                director_id=self.director,
                group=group,
                level=level.number,
                start=start,
                data=encode(block),
            )


def raw_blocks(slot: int, rows: Sequence[tuple[float, bytes]]) -> dict[str, Block]:
    """Turn readings into columns, by group. As long as the table has the same rows,
    a column is a slice of all numbers behind one another."""
    groups: dict[str, Block] = {}
    run: list[bytes] = []
    axis = array("I")
    layout: Layout | None = None
    for at, data in rows:
        now, numbers = split(data)
        place = int((at - slot) * 1000)
        if now is not layout:
            _add(groups, layout, axis, run)
            layout, axis, run = now, array("I"), []
        if not axis or place > axis[-1]:
            axis.append(place)
            run.append(numbers)
    _add(groups, layout, axis, run)
    return groups


def _add(
    groups: dict[str, Block], layout: Layout | None, axis: array[int], run: list[bytes]
) -> None:
    if layout is None:
        return
    numbers = floats(b"".join(run))
    step = layout.rows * WIDTH
    for group, names in layout.groups.items():
        block = Block(RAW.width, axis[:])
        for name, places in names.items():
            block.series[name] = [
                _column(numbers, [n * layout.rows + p for p in places], step)
                for n in range(WIDTH)
            ]
        before = groups.get(group)
        groups[group] = merged(before, block, _newer) if before else block


def _column(numbers: array[float], places: list[int], step: int) -> array[float]:
    column = numbers[places[0] :: step]
    for place in places[1:]:
        column = array("f", map(add, column, numbers[place::step]))
    return column


def _newer(_old: Sequence[float], new: Sequence[float]) -> Sequence[float]:
    return new


def _is_readable(data: bytes) -> bool:
    """A reading that is not ours must not hold up all that come after it."""
    try:
        layout, numbers = split(data)
    except ValueError:
        log.warning("A reading is dropped: it is not one of ours.")
        return False
    return len(numbers) == layout.rows * WIDTH * 4


def _quarters(since: int, until: int) -> Iterator[int]:
    """Yield the quarters that may close between the two; a long break has many."""
    yield from range(QUARTER.step * (since // QUARTER.step), until, QUARTER.step)
