"""Who watches which director: rows with an end, taken by conditional updates.

A worker that dies stops renewing, and its directors are free after ``LEASE``. Workers
tell each other in Valkey that they live, which is only used to share fairly: should
that be wrong or missing, a director still has at most one watcher.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterable
from datetime import timedelta

import redis
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from cluster.models import Host, WatchLease
from cluster.watch import store

LEASE = timedelta(seconds=10)
_WORKERS = "watch:workers"


def wanted() -> QuerySet[Host]:
    """Return the directors that may be watched: a person has accepted their keys."""
    return Host.objects.directors().trusted()


def renew(owner: uuid.UUID) -> set[int]:
    """Keep what is ours for another lease; return the directors that still are."""
    mine = WatchLease.objects.filter(owner=owner, until__gte=Now())
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
    got = set()
    candidates = free.filter(director__in=wanted()).order_by("director")
    for lease in candidates[:at_most]:
        # Another worker may have been quicker: then no row is updated.
        if free.filter(pk=lease.pk).update(owner=owner, until=Now() + LEASE):
            got.add(lease.director_id)
    return got


def release(owner: uuid.UUID, directors: Iterable[int]) -> None:
    mine = WatchLease.objects.filter(owner=owner, director__in=list(directors))
    mine.update(owner=None, until=None)


def fair_share(owner: uuid.UUID) -> int:
    """Return how many directors are ours when all living workers share them."""
    return math.ceil(wanted().count() / max(living_workers(owner), 1))


def living_workers(owner: uuid.UUID) -> int:
    """Say that we live, and return how many of us there are."""
    now = time.time()
    try:
        pipeline = store.client().pipeline()
        pipeline.zadd(_WORKERS, {str(owner): now})
        pipeline.zremrangebyscore(_WORKERS, "-inf", now - LEASE.total_seconds())
        pipeline.zcard(_WORKERS)
        return int(pipeline.execute()[-1])
    except redis.RedisError:
        owners = WatchLease.objects.filter(until__gte=Now()).exclude(owner=owner)
        return 1 + owners.values("owner").distinct().count()


def leave(owner: uuid.UUID) -> None:
    """Say that we go; without it the others find out after a lease."""
    try:
        store.client().zrem(_WORKERS, str(owner))
    except redis.RedisError:
        pass
