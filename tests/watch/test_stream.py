"""When a director that was lost is tried again."""

import time
from types import SimpleNamespace

import pytest

from cluster.lvs.frame import WATCH
from cluster.remote.frames import Frame
from cluster.remote.shell import HostKey, HostKeyChanged, Unreachable
from cluster.watch.stream import LONGEST_PAUSE, STRANGER_PAUSE, DirectorStream


@pytest.fixture
def stream():
    host = SimpleNamespace(name="lb01", ssh_address="10.0.1.3")
    return DirectorStream(host, WATCH, lambda *_: None)


def frame(number):
    """Return a frame as a director without ip_vs sends it."""
    return Frame(b"\x1dboot\nboot-1\n", number, 1000.0 + 2 * number)


def test_frames_are_read_in_the_order_in_which_they_came(stream):
    for number in range(2):
        stream._take(frame(number))
    assert [stream.read().sent_at for _ in range(2)] == [1000.0, 1002.0]
    assert stream.last_sample.sent_at == 1002.0


def test_whoever_cannot_keep_up_drops_the_oldest_frames(stream):
    for number in range(5):
        stream._take(frame(number))
    read = [stream.read() for _ in range(5)]
    assert [one and one.sent_at for one in read] == [1004.0, 1006.0, 1008.0, None, None]


def test_a_frame_that_makes_no_sense_is_dropped(stream):
    stream._take(Frame(b"what is this", 1, 1000.0))
    assert stream.read() is None
    assert stream.last_sample is None


def test_nothing_is_read_of_a_stream_that_was_stopped(stream):
    stream._take(frame(1))
    stream.stop()
    assert stream.read() is None


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
