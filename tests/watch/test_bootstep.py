"""A real worker process of the queue ``watch`` watches, and stops when told to."""

import subprocess
import sys
import time
from itertools import pairwise

import pytest
from django.db.models import Max

from cluster.models import Reading, WatchLease
from cluster.watch.leases import LONGEST_GAP


def worker(queue, environment):
    words = [sys.executable, "-m", "piranha_web.worker", queue]
    return subprocess.Popen(words, env=environment)


def watched(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if WatchLease.objects.filter(owner__isnull=False).exists():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_a_worker_of_the_queue_watch_takes_directors_and_gives_them_back(
    process_environment, make_director
):
    make_director()
    process = worker("watch", process_environment)
    try:
        assert watched(30)
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    assert not watched(0.1)


@pytest.mark.slow
def test_a_worker_of_another_queue_does_not_watch(process_environment, make_director):
    make_director()
    process = worker("apply", process_environment)
    try:
        assert not watched(8)
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.slow
def test_a_killed_worker_leaves_no_longer_gap_than_promised(
    process_environment, make_director
):
    hosts = {make_director(number).pk for number in (1, 2)}
    first = worker("watch", process_environment)
    second = None
    try:
        wait_until(lambda: last_readings().keys() == hosts)
        second = worker("watch", process_environment)
        wait_until(lambda: owners().values_list("owner").distinct().count() == 2)
        before = last_readings()
        wait_until(lambda: all(at > before[pk] for pk, at in last_readings().items()))
        killed_at = time.time()
        first.kill()
        wait_until(lambda: all(at > killed_at for at in last_readings().values()))
        gaps = [longest_gap(pk, killed_at - 5) for pk in hosts]
        assert max(gaps) <= LONGEST_GAP.total_seconds(), gaps
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.wait()


def wait_until(true):
    end = time.monotonic() + 40
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def owners():
    return WatchLease.objects.filter(owner__isnull=False)


def last_readings():
    return dict(Reading.objects.values_list("director").annotate(Max("at")))


def longest_gap(director, since):
    rows = Reading.objects.filter(director=director, at__gte=since).order_by("at")
    moments = list(rows.values_list("at", flat=True))
    return max(after - before for before, after in pairwise(moments))
