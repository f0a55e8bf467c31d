"""A real worker process of the queue ``watch`` watches, and stops when told to."""

import subprocess
import sys
import time

import pytest

from cluster.models import WatchLease


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
