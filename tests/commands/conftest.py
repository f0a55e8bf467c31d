"""The cluster of the notes with hosts in memory, and commands in front of it."""

import io
import json
from dataclasses import dataclass

import pytest
from django.core.management import call_command

from cluster.management import attendance
from cluster.models import User
from tests.lab_in_memory import Lab


@dataclass
class Ended:
    """How a command ended and what it printed."""

    exit: int
    out: str
    err: str

    @property
    def data(self):
        found = json.loads(self.out)
        assert found["exit"] == self.exit
        return found


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def cluster_of_notes(db, monkeypatch):
    lab = Lab()
    monkeypatch.setattr(attendance, "connect", lab.connect)
    monkeypatch.setenv("PIRANHA_USER", "li.wei")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    User.objects.create(username="bo", role="viewer")
    User.objects.create(username="gone", role="operator", is_active=False)
    return lab


@pytest.fixture
def run_command(cluster_of_notes):
    """Return a function that runs a command as a shell would."""

    def run(*words, terminal=False):
        out, err = Terminal() if terminal else io.StringIO(), io.StringIO()
        try:
            call_command(*map(str, words), stdout=out, stderr=err)
        except SystemExit as end:
            return Ended(int(end.code), out.getvalue(), err.getvalue())
        return Ended(0, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def dead(cluster_of_notes):
    """Call with a host's name: from then on nobody can reach it."""
    return cluster_of_notes.cut_off
