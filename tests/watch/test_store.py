"""Against the real server that the broker fixture started."""

import json
import math
import uuid
from array import array

import pytest
import redis

from cluster.lvs.layout import Layout
from cluster.watch import store
from cluster.watch.document import decode, encode
from cluster.watch.sparks import WHOLE, Points
from cluster.watch.store import News
from tests.watch.build import sample


@pytest.fixture
def director() -> int:
    return uuid.uuid4().int % 10**12


def test_a_published_sample_can_be_read_and_rings_once(director):
    with store.client().pubsub(ignore_subscribe_messages=True) as news:
        news.subscribe(store.CHANNEL)
        news.get_message(timeout=1)
        other = director + 1
        store.publish([News(director, 7, sample()), News(other, 8, sample())])
        message = news.get_message(timeout=2)
        assert json.loads(message["data"]) == [[director, 7], [other, 8]]
        assert news.get_message(timeout=0.1) is None
    found = store.latest([director, other + 1])
    assert found == {director: decode(encode(sample()))}
    assert 0 < store.client().ttl(f"live:{director}") <= store.LIVE_SECONDS


def test_nothing_is_asked_of_nobody():
    assert store.latest([]) == {}
    assert store.seen([]) == ({}, {})


def test_lines_are_kept_beside(director):
    columns = tuple(array("f", [point] * 5) for point in (1.0, math.nan))
    store.publish([News(director, 1, sample(), Points(1, Layout(), columns))])
    store.publish([News(director, 1, sample())])
    samples, lines = store.seen([director, director + 1])
    assert list(samples) == list(lines) == [director]
    assert lines[director].slot == 1
    assert lines[director].whole == dict.fromkeys(WHOLE, (1.0, None))
    assert store.lines([director])[director] is lines[director]


@pytest.mark.parametrize("data", [b'{"at": 1.5, "services": []}', b"{}", b"\0\0\0\0"])
def test_what_another_version_wrote_is_left_out(director, data):
    for kind in ("live", "spark"):
        store.client().set(f"{kind}:{director}", data, ex=60)
    assert store.latest([director]) == {}
    assert store.lines([director]) == {}


def test_a_server_that_is_away_is_an_error_of_redis(settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock?db=0"
    with pytest.raises(redis.RedisError):
        store.latest([1])
