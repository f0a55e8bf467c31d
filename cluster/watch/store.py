"""The live cache: what was last seen of each director, and its last hour.

live:<pk>     the newest sample, gone after 30 s; see ``document.py``
totals:<pk>   a list of the last hour, one packed entry a tick (``Tick``)
spark:<pk>    conns/s of each row, 30 points of 10 s
live          the channel: JSON [[director, cluster], ...] after each batch
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import redis
from django.conf import settings
from redis.commands.core import Script

from cluster.lvs.frame import PERIOD
from cluster.watch.document import (
    decode,
    decode_sparks,
    encode,
    encode_sparks,
)
from cluster.watch.sample import Sample
from cluster.watch.sparks import Points

CHANNEL = "live"
LIVE_SECONDS = 30
# A sample older than three periods says nothing about now.
FRESH = 3 * PERIOD + 0.5
RING_TICKS = 1800
RING_SECONDS = 2 * 3600
_TICK = struct.Struct("<d5f")


class Tick(NamedTuple):
    """One moment of a director; NaN where a rate is not known."""

    at: float
    conns: float
    active: float
    inactive: float
    in_bytes: float
    out_bytes: float


class News(NamedTuple):
    """A sample on its way to the cache; *sparks* only when a point is complete."""

    director: int
    cluster: int
    sample: Sample
    sparks: Points | None = None


class Seen(NamedTuple):
    """What the cache has of some directors: ``latest``, ``sparks`` and ``ticks``."""

    samples: dict[int, dict[str, Any]]
    sparks: dict[int, dict[str, Any]]
    ticks: dict[int, list[Tick]]


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3)


def client() -> redis.Redis:
    return _client(settings.REDIS_URL)


# -- writing --------------------------------------------------------------------------


# One command for a whole batch: each one costs our client more than the server.
# KEYS: of each director its document and its ring. ARGV: what goes there, then for how
# many seconds a document stays, the channel and what is said there. Documents are not
# written to the append-only file: ten kilobytes each, and gone after thirty seconds.
_WRITE = """
local last = #KEYS
redis.set_repl(redis.REPL_REPLICA)
for n = 1, last, 2 do
  redis.call('SET', KEYS[n], ARGV[n], 'EX', ARGV[last + 1])
end
redis.set_repl(redis.REPL_ALL)
for n = 1, last, 2 do
  redis.call('RPUSH', KEYS[n + 1], ARGV[n + 1])
end
redis.call('PUBLISH', ARGV[last + 2], ARGV[last + 3])
"""


@lru_cache(maxsize=4)
def _script(url: str) -> Script:
    return _client(url).register_script(_WRITE)


def publish(batch: Sequence[News]) -> None:
    """Write a batch and ring the bell once. Raises redis.RedisError."""
    lines = [news for news in batch if news.sparks is not None]
    if lines:
        _keep_lines(lines)
    keys: list[str] = []
    values: list[Any] = []
    for news in batch:
        keys += (f"live:{news.director}", f"totals:{news.director}")
        values += (encode(news.sample), _TICK.pack(*tick_of(news.sample)))
    pairs = json.dumps([[news.director, news.cluster] for news in batch])
    _script(settings.REDIS_URL)(keys, (*values, LIVE_SECONDS, CHANNEL, pairs))


def _keep_lines(batch: Sequence[News]) -> None:
    """Write points that are complete, and cut the rings: every ten seconds is often
    enough."""
    pipeline = client().pipeline(transaction=False)
    for news in batch:
        if news.sparks is not None:
            ring = f"totals:{news.director}"
            pipeline.ltrim(ring, -RING_TICKS, -1)
            pipeline.expire(ring, RING_SECONDS)
            sparks = encode_sparks(news.sparks)
            pipeline.set(f"spark:{news.director}", sparks, ex=RING_SECONDS)
    pipeline.execute()


def tick_of(sample: Sample) -> Tick:
    rates = sample.total_rates
    return Tick(
        sample.at,
        rates.conns if rates else math.nan,
        sample.table.all_active,
        sample.table.all_inactive,
        rates.in_bytes if rates else math.nan,
        rates.out_bytes if rates else math.nan,
    )


# -- reading --------------------------------------------------------------------------


def latest(directors: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the newest sample of each director that has one."""
    return _documents("live", directors, decode)


def sparks(directors: Iterable[int]) -> dict[int, dict[str, Any]]:
    return _documents("spark", directors, decode_sparks)


def _documents(
    kind: str, directors: Iterable[int], read: Callable[[bytes], dict[str, Any]]
) -> dict[int, dict[str, Any]]:
    pks = list(directors)
    if not pks:
        return {}
    datas = cast("list[bytes | None]", client().mget(_keys(kind, pks)))
    return _read(pks, datas, read)


def _keys(kind: str, pks: Sequence[int]) -> list[str]:
    return [f"{kind}:{pk}" for pk in pks]


def _read(
    pks: Sequence[int],
    datas: Sequence[bytes | None],
    read: Callable[[bytes], dict[str, Any]],
) -> dict[int, dict[str, Any]]:
    found = {}
    for pk, data in zip(pks, datas, strict=True):
        try:
            if data:
                found[pk] = read(data)
        except (ValueError, struct.error):
            continue  # another version of us wrote it; ours is on its way
    return found


def ticks(
    directors: Iterable[int], since: float, at_most: int = RING_TICKS
) -> dict[int, list[Tick]]:
    """Return the last hour of each director, or less: from the time *since* on."""
    pks = list(directors)
    pipeline = client().pipeline(transaction=False)
    for key in _keys("totals", pks):
        pipeline.lrange(key, -at_most, -1)
    return _rings(pks, pipeline.execute() if pks else [], since)


def _rings(
    pks: Sequence[int], rings: Sequence[Sequence[bytes]], since: float
) -> dict[int, list[Tick]]:
    return {
        pk: [tick for entry in ring if (tick := Tick(*_TICK.unpack(entry))).at >= since]
        for pk, ring in zip(pks, rings, strict=True)
    }


def seen(directors: Iterable[int], since: float, at_most: int) -> Seen:
    """Return all three in one round trip, which each of them costs by itself."""
    pks = list(directors)
    if not pks:
        return Seen({}, {}, {})
    pipeline = client().pipeline(transaction=False)
    pipeline.mget(_keys("live", pks) + _keys("spark", pks))
    for key in _keys("totals", pks):
        pipeline.lrange(key, -at_most, -1)
    datas, *rings = pipeline.execute()
    return Seen(
        _read(pks, datas[: len(pks)], decode),
        _read(pks, datas[len(pks) :], decode_sparks),
        _rings(pks, rings, since),
    )
