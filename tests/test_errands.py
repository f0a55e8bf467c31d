from django.core.cache import cache
from redis import RedisError

from cluster import errands
from cluster.errands import Errand, Progress


def test_an_errand_is_begun_once_and_ends():
    assert errands.progress(Errand.LOOK, 7) is Progress.IDLE
    assert errands.begin(Errand.LOOK, 7)
    assert not errands.begin(Errand.LOOK, 7)
    assert errands.progress(Errand.LOOK, 7) is Progress.WAITING
    errands.end(Errand.LOOK, 7)
    assert errands.progress(Errand.LOOK, 7) is Progress.IDLE


def test_a_page_is_shown_while_the_cache_is_away(monkeypatch):
    def away(*_args):
        raise RedisError("connection refused")

    monkeypatch.setattr(cache, "get", away)
    assert errands.progress(Errand.OBSERVE, 7) is Progress.OVERDUE
