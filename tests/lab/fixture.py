"""The lab for tests that need real hosts; tests/conftest.py hands it to all of them.

One fixture for every folder: two of them in one process would want the same hosts.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.running import Lab

CHOICE = "PIRANHA_TEST_LAB"
# Those of a lab, and of the instances that test_instances.py starts beside it.
PORTS_EACH = 800


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Give the five hosts, booted when they do not run yet."""
    name = os.environ.get("PIRANHA_TEST_LAB_NAME", "test")
    ports = int(os.environ.get("PIRANHA_TEST_LAB_PORTS", "2400"))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")  # gw0, gw1, ...
    lab = Lab(name + worker, ports + PORTS_EACH * int(worker[2:] or 0))
    with _alone(lab):
        ran = lab.up
        lab.start()
        yield lab
        if not ran and os.environ.get(CHOICE) != "keep":
            lab.stop()


@contextmanager
def _alone(lab: Lab) -> Iterator[None]:
    """Two test runs would set up the same VIP on the same hosts."""
    lab.state.mkdir(parents=True, exist_ok=True)
    with (lab.state / "tests.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.fail(
                f"Another test run uses the lab {lab.name!r}: wait for its end, or "
                f"set {CHOICE}_NAME and {CHOICE}_PORTS for a lab of your own."
            )
        yield
