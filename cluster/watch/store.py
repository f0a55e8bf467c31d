"""The live cache: what was last seen of each director, and lines of five minutes.

live:<pk>     the newest sample, gone after 30 s; see ``document.py``
spark:<pk>    the lines of a director and of its rows, see ``sparks.py``
live          the channel: JSON [[director, cluster], ...] after each batch
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, cast

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
from cluster.watch.sparks import Lines, Points

T = TypeVar("T")
CHANNEL = "live"
LIVE_SECONDS = 30
# A sample older than three periods says nothing about now.
FRESH = 3 * PERIOD + 0.5
LINES_SECONDS = 15 * 60


class News(NamedTuple):
    """A sample on its way to the cache; *points* only when one more is complete."""

    director: int
    cluster: int
    sample: Sample
    points: Points | None = None


class Seen(NamedTuple):
    """What the cache has of some directors: ``latest`` and ``lines``."""

    samples: dict[int, dict[str, Any]]
    lines: dict[int, Lines]


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3)


def client() -> redis.Redis:
    return _client(settings.REDIS_URL)


# -- writing --------------------------------------------------------------------------


# One command for a whole batch: each one costs our client more than the server.
# KEYS: the document of each director. ARGV: what goes there, then for how many seconds it
# stays, the channel and what is said there. Documents are not written to the append-only
# file: ten kilobytes each, and gone after thirty seconds.
_WRITE = """
local last = #KEYS
redis.set_repl(redis.REPL_REPLICA)
for n = 1, last do
  redis.call('SET', KEYS[n], ARGV[n], 'EX', ARGV[last + 1])
end
redis.call('PUBLISH', ARGV[last + 2], ARGV[last + 3])
"""


@lru_cache(maxsize=4)
def _script(url: str) -> Script:
    return _client(url).register_script(_WRITE)


def publish(batch: Sequence[News]) -> None:
    """Write a batch and ring the bell once. Raises redis.RedisError."""
    lines = [(news.director, news.points) for news in batch if news.points is not None]
    if lines:
        _keep_lines(lines)
    keys = [f"live:{news.director}" for news in batch]
    values = [encode(news.sample) for news in batch]
    pairs = json.dumps([[news.director, news.cluster] for news in batch])
    _script(settings.REDIS_URL)(keys, (*values, LIVE_SECONDS, CHANNEL, pairs))


def _keep_lines(batch: Sequence[tuple[int, Points]]) -> None:
    """Write points that are complete."""
    pipeline = client().pipeline(transaction=False)
    for director, points in batch:
        pipeline.set(f"spark:{director}", encode_sparks(points), ex=LINES_SECONDS)
    pipeline.execute()


# -- reading --------------------------------------------------------------------------


def latest(directors: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the newest sample of each director that has one."""
    return _documents("live", directors, _sample)


def lines(directors: Iterable[int]) -> dict[int, Lines]:
    return _documents("spark", directors, _lines)


def _sample(_director: int, data: bytes) -> dict[str, Any]:
    return decode(data)


# The newest of each director: new every ten seconds, and read with every tick.
_kept: dict[int, tuple[bytes, Lines]] = {}


def _lines(director: int, data: bytes) -> Lines:
    """Return the same object for the same bytes."""
    known = _kept.get(director)
    if known is None or known[0] != data:
        known = _kept[director] = data, decode_sparks(data)
    return known[1]


def _documents(
    kind: str, directors: Iterable[int], read: Callable[[int, bytes], T]
) -> dict[int, T]:
    pks = list(directors)
    return _read(pks, _get(_keys(kind, pks)), read)


def _get(keys: Sequence[str]) -> list[bytes | None]:
    return cast("list[bytes | None]", client().mget(keys)) if keys else []


def _keys(kind: str, pks: Sequence[int]) -> list[str]:
    return [f"{kind}:{pk}" for pk in pks]


def _read(
    pks: Sequence[int], datas: Sequence[bytes | None], read: Callable[[int, bytes], T]
) -> dict[int, T]:
    found = {}
    for pk, data in zip(pks, datas, strict=True):
        try:
            if data:
                found[pk] = read(pk, data)
        except (ValueError, struct.error):
            continue  # another version of us wrote it; ours is on its way
    return found


def seen(directors: Iterable[int]) -> Seen:
    """Return both in one round trip, which each of them costs by itself."""
    pks = list(directors)
    datas = _get(_keys("live", pks) + _keys("spark", pks))
    count = len(pks)
    return Seen(_read(pks, datas[:count], _sample), _read(pks, datas[count:], _lines))
