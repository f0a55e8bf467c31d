"""The end of old history, level by level."""

from __future__ import annotations

import time

from django.core.cache import cache

from cluster.models import HistoryChunk, Host
from cluster.watch.levels import LEVELS

EVERY_SECONDS = 600
# A transaction stays short: others wait for it with an embedded database.
AT_ONCE = 500


def prune(now: float | None = None) -> int:
    """Delete chunks that are too old and return how many; mostly does nothing.

    Called with every tick, works every ten minutes, in whichever worker is first.
    Readings need no end of their own: they are deleted when they become history.
    """
    if not cache.add("prune-history", 1, timeout=EVERY_SECONDS):
        return 0
    now = time.time() if now is None else now
    pruned = 0
    for pk in Host.objects.directors().values_list("pk", flat=True):
        for level in LEVELS:
            last = now - level.keep - level.span
            chunks = HistoryChunk.objects.filter(director=pk, level=level.number)
            old = chunks.filter(start__lt=last)
            while pks := list(old.values_list("pk", flat=True)[:AT_ONCE]):
                pruned += HistoryChunk.objects.filter(pk__in=pks).delete()[0]
    return pruned
