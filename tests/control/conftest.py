"""The cluster of the notes in memory, and hosts that can be cut off."""

import pytest

from cluster.control import steps
from tests.control.start import begin_with
from tests.lab_in_memory import Lab


@pytest.fixture
def lab(db):
    return Lab()


@pytest.fixture
def applied(lab):
    """The service of the notes, applied."""

    def make(lab):
        lab.want()
        assert lab.apply().state == "converged"

    begin_with(lab, "applied", make)
    return lab


@pytest.fixture
def dead(lab):
    """Call with a host's name: from then on nobody can reach it."""
    return lab.cut_off


@pytest.fixture(autouse=True)
def waited(monkeypatch):
    """Hosts in memory are at their end at once; return how long was waited for them."""
    naps = []
    monkeypatch.setattr(steps, "sleep", naps.append)
    return naps
