"""The lab for measures: booted when a measure needs it, stopped at the end of the run.

PIRANHA_BENCH_LAB_NAME and PIRANHA_BENCH_LAB_PORTS choose another instance; one that ran
before is left running.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from bench.result import CannotRun
from tests.lab.running import Lab


def instance() -> Lab:
    name = os.environ.get("PIRANHA_BENCH_LAB_NAME", "bench")
    return Lab(name, int(os.environ.get("PIRANHA_BENCH_LAB_PORTS", "2600")))


def booted() -> Lab:
    """Return the lab with clean hosts; raises CannotRun where it cannot be had."""
    lab = instance()
    done = lab.run("up", "--no-traffic")
    if done.returncode:
        raise CannotRun(f"the lab does not boot: {(done.stdout + done.stderr)[-300:]}")
    lab.clean()
    return lab


@contextmanager
def as_it_was() -> Iterator[None]:
    """Stop the lab at the end when it did not run before."""
    lab = instance()
    ran = lab.up
    try:
        yield
    finally:
        if lab.up and not ran:
            lab.stop()
