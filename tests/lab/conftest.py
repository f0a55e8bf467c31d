"""The lab for tests that need real hosts.

PIRANHA_TEST_LAB=skip leaves those tests out, and says so. PIRANHA_TEST_LAB=keep
leaves the lab running after the tests, so that the next run need not boot it.
PIRANHA_TEST_LAB_NAME and PIRANHA_TEST_LAB_PORTS give a second run a lab of its own;
with ``-n 2 --dist loadfile`` each of the two processes has one.
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


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if os.environ.get(CHOICE) != "skip":
        return
    left_out = [item for item in items if item.get_closest_marker("lab")]
    items[:] = [item for item in items if not item.get_closest_marker("lab")]
    config.hook.pytest_deselected(items=left_out)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and left_out:
        reporter.write_line(f"{CHOICE}=skip: {len(left_out)} lab tests are left out")


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
