"""Questions to a host that were asked and not yet answered, for pages that wait.

They live in the cache and are forgotten after ten minutes: a lost one does no harm,
the page offers the button again. What was found is in the database.
"""

from __future__ import annotations

import time
from enum import Enum

from django.core.cache import cache
from redis import RedisError

# A worker answers within seconds; after this somebody should look at the workers.
OVERDUE = 60.0
FORGOTTEN = 600
NEXT_TRY = 120


class Errand(Enum):
    FETCH_KEY = "fetch-key"
    LOOK = "look"
    OBSERVE = "observe"


class Progress(Enum):
    """IDLE: nothing was asked or it was answered; OVERDUE: no worker took it, or the
    broker is away, so that none can."""

    IDLE = "idle"
    WAITING = "waiting"
    OVERDUE = "overdue"


def begin(errand: Errand, pk: int) -> bool:
    """Note that a host is being asked; False when it is being asked already."""
    if progress(errand, pk) is Progress.OVERDUE:
        end(errand, pk)
    return bool(cache.add(_key(errand, pk), time.time(), FORGOTTEN))


def is_turn(errand: Errand, pk: int) -> bool:
    """Say yes once in two minutes: how often a host is asked by itself."""
    return bool(cache.add(f"turn:{errand.value}:{pk}", 1, NEXT_TRY))


def end(errand: Errand, pk: int) -> None:
    cache.delete(_key(errand, pk))


def progress(errand: Errand, pk: int) -> Progress:
    try:
        since = cache.get(_key(errand, pk))
    except RedisError:
        return Progress.OVERDUE
    if since is None:
        return Progress.IDLE
    late = time.time() - since > OVERDUE
    return Progress.OVERDUE if late else Progress.WAITING


def _key(errand: Errand, pk: int) -> str:
    return f"errand:{errand.value}:{pk}"
