"""When memory is given back to the system."""

import pytest

from cluster.watch import heap
from cluster.watch.heap import CALM, EVERY, STORM, Heap


@pytest.fixture
def done(monkeypatch):
    """Return what was done, by a clock that starts at 1,000 and is moved by ``at``."""
    calls = []
    monkeypatch.setattr(heap, "give_back", lambda: calls.append("given back"))
    monkeypatch.setattr(heap.gc, "collect", lambda: calls.append("collected"))
    return calls


@pytest.fixture
def at(monkeypatch):
    def move(seconds):
        monkeypatch.setattr(heap.time, "monotonic", lambda: 1000 + seconds)

    move(0)
    return move


def test_it_is_given_back_every_minute(done, at):
    watched = Heap()
    for seconds in (0, 1, EVERY - 1, EVERY, EVERY + 1):
        at(seconds)
        watched.step(opening=1)
    assert done == ["given back"] * 2


def test_a_storm_of_logins_is_waited_for_and_collected_once(done, at):
    watched = Heap()
    for seconds in (0, CALM + 1, 2 * CALM):
        at(seconds)
        watched.step(opening=STORM)
    assert done == []
    for seconds in (2 * CALM + 1, 3 * CALM, 3 * CALM + EVERY):
        at(seconds)
        watched.step(opening=0)
    assert done == ["collected", "given back", "given back"]


def test_free_pages_are_found_by_the_c_library():
    free = [bytes(1000) for _ in range(100_000)]
    del free[::2]
    del free
    assert heap.give_back()
