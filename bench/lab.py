"""The lab for measures: booted when a measure needs it, stopped at the end of the run.

PIRANHA_BENCH_LAB_NAME, PIRANHA_BENCH_LAB_PORTS and PIRANHA_BENCH_LAB_HOSTS choose another
instance; one that ran before is left running.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from bench.result import CannotRun
from cluster.remote.shell import HostKey, Secret, Target
from tests.lab.running import Lab


def instance() -> Lab:
    name = os.environ.get("PIRANHA_BENCH_LAB_NAME", "bench")
    ports = int(os.environ.get("PIRANHA_BENCH_LAB_PORTS", "2800"))
    return Lab(name, ports, os.environ.get("PIRANHA_BENCH_LAB_HOSTS", ""))


def booted() -> Lab:
    """Return the lab; raises CannotRun where it cannot be had."""
    lab = instance()
    done = lab.run("up", "--no-traffic")
    if done.returncode:
        raise CannotRun(f"the lab does not boot: {(done.stdout + done.stderr)[-300:]}")
    return lab


def login(hosts: Lab, name: str = "lb01", user: str = "root") -> Target:
    """Return a host as *user*: root, or who the dashboard logs in as (``piranha``)."""
    facts = hosts.hosts[name]
    key = Secret((hosts.state / f"{user}_ed25519").read_text())
    known = HostKey.parse(facts["host_key"])
    return Target(name, "127.0.0.1", facts["ssh_port"], user, known, key)


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
