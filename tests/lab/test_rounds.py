"""How often the hosts are called to, and what they do, in an apply on real kernels."""

import time
from collections import Counter

import pytest

from cluster.models import Run
from cluster.remote.connection import Connection
from tests.lab.site import Site

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),  # the first test of all boots the lab
]


@pytest.fixture
def site(lab):
    lab.clean()
    return Site(lab)


@pytest.fixture
def asked(monkeypatch):
    """Count what is sent, a round trip each, by what is run."""
    counted = Counter()
    request = Connection.request_exec

    def counting(connection, channel, line):
        program = line.split()[1]
        counted["look" if "sh -s" in line and program == "sh" else "send"] += 1
        request(connection, channel, line)

    monkeypatch.setattr(Connection, "request_exec", counting)
    return counted


def test_a_new_service_takes_a_round_trip_per_host_and_phase(site, asked):
    """13 commands: the director is asked first and told last, the boot files follow."""
    site.want()
    run = site.plan()
    asked.clear()
    started = time.monotonic()
    site.carry_out(run)
    print(
        f"{run.steps.count()} steps: {dict(asked)}, {time.monotonic() - started:.1f} s"
    )
    assert run.state == Run.State.CONVERGED
