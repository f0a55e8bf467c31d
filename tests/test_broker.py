"""A task goes through the real broker to a real worker process."""

import subprocess
import sys
import time
import uuid

import pytest
import redis

from piranha_web.celery import app
from tests.worker_tasks import answer


@pytest.fixture
def worker(process_environment: dict[str, str]):
    """Run a worker of the queue ``apply`` in its own process."""
    words = [sys.executable, "-m", "celery", "-A", "piranha_web", "worker"]
    words += ["--pool", "threads", "-Q", "apply", "-I", "tests.worker_tasks"]
    process = subprocess.Popen(words, env=process_environment)
    yield process
    process.terminate()
    process.wait(20)


def wait_for(client: redis.Redis, key: str, seconds: float) -> bytes:
    """Return what a worker pushed, ``b""`` when nothing came in time."""
    found = client.blpop([key], timeout=seconds)
    return found[1] if found else b""


@pytest.mark.slow
def test_a_task_reaches_a_worker_and_what_it_writes_comes_back(worker, broker):
    key = f"test:{uuid.uuid4()}"
    with redis.Redis.from_url(broker, socket_timeout=None) as client:
        answer.delay(key, "hello")
        assert wait_for(client, key, 40) == b"hello"


@pytest.mark.slow
def test_a_task_waits_in_the_broker_for_its_first_worker(
    process_environment, broker, request
):
    key = f"test:{uuid.uuid4()}"
    answer.delay(key, "patient")
    time.sleep(0.2)
    request.getfixturevalue("worker")
    with redis.Redis.from_url(broker, socket_timeout=None) as client:
        assert wait_for(client, key, 40) == b"patient"


def test_nothing_but_json_is_accepted_and_a_task_is_kept_until_it_ended():
    assert list(app.conf.accept_content) == ["json"]
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1


def test_beat_only_ticks():
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} == {
        "cluster.tasks.tick"
    }
