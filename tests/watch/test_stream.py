"""When a director that was lost is tried again."""

import time
from types import SimpleNamespace

import pytest

from cluster.lvs.frame import WATCH
from cluster.remote.shell import HostKey, HostKeyChanged, Unreachable
from cluster.watch.stream import LONGEST_PAUSE, STRANGER_PAUSE, DirectorStream


@pytest.fixture
def stream():
    host = SimpleNamespace(name="lb01", ssh_address="10.0.1.3")
    return DirectorStream(host, WATCH, lambda *_: None)


def pause_after(stream, error):
    stream._fail(error)
    return stream._retry_at - time.monotonic()


def test_each_failure_doubles_the_pause_up_to_the_longest(stream):
    lost = Unreachable("lb01", "lb01 did not answer in time.")
    for most in (1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE):
        assert most / 2 - 0.1 <= pause_after(stream, lost) <= most
    assert stream.error is lost


def test_directors_lost_at_once_do_not_come_back_at_the_same_moment(stream):
    lost = Unreachable("lb01", "lb01 did not answer in time.")
    pauses = set()
    for _ in range(20):
        stream._failures = 3
        pauses.add(round(pause_after(stream, lost), 2))
    assert len(pauses) > 5


def test_a_host_that_is_not_the_one_that_was_accepted_is_asked_seldom(stream):
    key = HostKey("ssh-ed25519", "AAAA")
    changed = HostKeyChanged("lb01", "It is another host.", key, None)
    assert pause_after(stream, changed) == pytest.approx(STRANGER_PAUSE, abs=0.5)
