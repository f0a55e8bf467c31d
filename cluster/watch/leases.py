"""Who watches which director: rows with an end, taken by conditional updates.

A worker that dies stops renewing, and its directors are free after ``LEASE``. Workers
tell each other in Valkey that they live, which is only used to share fairly: should
that be wrong or missing, a director still has at most one owner.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from datetime import timedelta

import redis
from django.db.models import DurationField, ExpressionWrapper, Min, Q, QuerySet
from django.db.models.functions import Now

from cluster.lvs.frame import PERIOD
from cluster.models import Host, WatchLease
from cluster.watch import store

# What we promise: the longest time without a frame when a worker is killed.
LONGEST_GAP = timedelta(seconds=10)
# To find out, and to log in.
TAKE_OVER = timedelta(seconds=3)
# The last frame that was kept came up to a period before the lease was renewed.
LEASE = LONGEST_GAP - timedelta(seconds=PERIOD) - TAKE_OVER
_WORKERS = "watch:workers"


def wanted() -> QuerySet[Host]:
    """Return the directors that may be watched: a person has accepted their keys."""
    return Host.objects.directors().trusted()


def renew(owner: uuid.UUID) -> set[int]:
    """Keep what is ours for another lease; return the directors that still are.

    Also what should have been renewed earlier, unless somebody else has it by now: a
    slow database alone takes nothing away.
    """
    mine = WatchLease.objects.filter(owner=owner)
    mine.update(until=Now() + LEASE)
    return set(mine.filter(director__in=wanted()).values_list("director", flat=True))


def claim(owner: uuid.UUID, at_most: int) -> set[int]:
    """Take up to so many directors that nobody watches; return those we got."""
    if at_most <= 0:
        return set()
    missing = wanted().filter(watch__isnull=True)
    WatchLease.objects.bulk_create(
        (WatchLease(director=host) for host in missing), ignore_conflicts=True
    )
    free = WatchLease.objects.filter(Q(until__isnull=True) | Q(until__lt=Now()))
    free = free.filter(director__in=wanted())
    chosen = list(free.order_by("director").values_list("pk", flat=True)[:at_most])
    # Another worker may have been quicker: what it has is not free any more.
    free.filter(pk__in=chosen).update(owner=owner, until=Now() + LEASE)
    got = WatchLease.objects.filter(pk__in=chosen, owner=owner)
    return set(got.values_list("director", flat=True))


def release(owner: uuid.UUID, directors: Iterable[int]) -> None:
    mine = WatchLease.objects.filter(owner=owner, director__in=list(directors))
    mine.update(owner=None, until=None)


def fair_share(owner: uuid.UUID) -> int:
    """Return how many directors are ours when all living workers share them."""
    return math.ceil(wanted().count() / max(living_workers(owner), 1))


def living_workers(owner: uuid.UUID) -> int:
    """Say that we live, and return how many of us there are.

    To be said before leases are renewed: whoever dies must be forgotten when they end.
    """
    try:
        client = store.client()
        # Not our own clock: those of other machines may say something else.
        seconds, microseconds = client.time()
        now = seconds + microseconds / 1e6
        pipeline = client.pipeline()
        pipeline.zadd(_WORKERS, {str(owner): now})
        pipeline.zremrangebyscore(_WORKERS, "-inf", now - LEASE.total_seconds())
        pipeline.zcard(_WORKERS)
        return int(pipeline.execute()[-1])
    except redis.RedisError:
        owners = WatchLease.objects.filter(until__gte=Now()).exclude(owner=owner)
        return 1 + owners.values("owner").distinct().count()


def first_end(owner: uuid.UUID) -> float:
    """Return in how many seconds the first lease of another worker may end."""
    others = WatchLease.objects.filter(until__gte=Now()).exclude(owner=owner)
    left = ExpressionWrapper(Min("until") - Now(), DurationField())
    found: timedelta | None = others.aggregate(left=left)["left"]
    return found.total_seconds() if found is not None else math.inf


def leave(owner: uuid.UUID) -> None:
    """Say that we go; without it the others find out after a lease."""
    try:
        store.client().zrem(_WORKERS, str(owner))
    except redis.RedisError:
        pass
