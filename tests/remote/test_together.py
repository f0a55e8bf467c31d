"""Streams that are read in one thread, over a real sshd."""

import socket
import threading
import time
from pathlib import Path

import paramiko
import pytest

from cluster.lvs.command import Command
from cluster.remote.paramiko_shell import new_key_pair
from cluster.remote.rounds import ROUNDS
from cluster.remote.stream import open_stream
from cluster.remote.together import HANDLERS
from tests.remote.sshd import Sshd
from tests.remote.test_stream import Watching, loop

# It waits for the clock: not in make check.
pytestmark = pytest.mark.slow

SLOW = 0.8  # seconds between frames: longer than a thread waits
BIG = (
    "n=0; while n=$((n + 1)); head -c 700000 /dev/zero; "
    r"printf '\036%s 2\n' $n; do sleep 0.7; done"
)


@pytest.fixture
def watch(sshd):
    opened = []

    def start(command, target=None):
        opened.append(Watching(target or sshd.target(), command))
        return opened[-1]

    yield start
    for one in opened:
        one.stream.close()


def has_no_thread(watching):
    connection = watching.stream._connection
    return connection.wire.fileno() in ROUNDS._looks and not connection.is_alive()


def shared(watching):
    """Wait until the stream has no thread of its own; forget what came until then."""
    end = time.monotonic() + 5
    while not has_no_thread(watching):
        assert time.monotonic() < end
        time.sleep(0.02)
    while not watching.frames.empty():
        watching.frames.get()
    return watching


def test_twenty_quiet_streams_have_no_threads(watch):
    before = threading.active_count()
    watchings = [watch(loop(SLOW)) for _ in range(20)]
    for one in watchings:
        shared(one)
    assert threading.active_count() - before <= 1
    numbers = [[one.frame().sequence for _ in range(3)] for one in watchings]
    assert all(a + 1 == b == c - 1 for a, b, c in numbers)
    for one in watchings:
        one.stream.close()
        assert one.end() is None


def test_a_quiet_stream_keeps_neither_the_login_nor_its_key(watch):
    watching = shared(watch(loop(SLOW)))
    connection = watching.stream._connection
    assert connection.auth_handler is None
    assert connection.host_key is None
    assert watching.stream._target.private_key.reveal() == ""
    # A dictionary doubles above 85 entries.
    assert len(vars(connection)) <= 85
    assert len(vars(connection.packetizer)) <= 85


def test_the_table_of_handlers_is_that_of_paramiko():
    with socket.socket() as sock:
        table = paramiko.Transport(sock)._handler_table
    assert {kind: method.__name__ for kind, method in table.items()} == HANDLERS


def test_a_command_runs_beside_again_and_again(watch):
    watching = shared(watch(loop(SLOW)))
    for word in (b"one", b"two"):
        output = watching.stream.run(Command(("echo", word.decode())))
        assert output.stdout == word + b"\n"
        shared(watching)
    first = watching.frame().sequence
    assert watching.frame().sequence == first + 1


def test_the_host_is_granted_more_than_one_window(watch):
    watching = shared(watch(loop(script=BIG)))
    first = watching.frame().sequence
    for number in range(first + 1, first + 6):
        frame = watching.frame()
        assert (frame.sequence, len(frame.body)) == (number, 700_000)


def test_we_ask_for_new_keys(watch):
    watching = shared(watch(loop(SLOW)))
    connection = watching.stream._connection
    before = connection.packetizer._engine
    connection.packetizer.REKEY_PACKETS = 1
    first = watching.frame().sequence
    watching.frame()
    connection.packetizer.REKEY_PACKETS = 2**29
    numbers = [watching.frame().sequence for _ in range(2)]
    assert numbers == [first + 2, first + 3]
    assert connection.packetizer._engine is not before
    shared(watching)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory, sshd):
    """An sshd that asks every second for new keys, and whether we are still there."""
    more = "RekeyLimit 1G 1\nClientAliveInterval 1\nClientAliveCountMax 1\n"
    server = Sshd(tmp_path_factory.mktemp("impatient"), new_key_pair(), more=more)
    yield server
    server.stop()


def test_the_host_asks_for_keys_and_signs_of_life(watch, impatient):
    watching = watch(loop(2.2), impatient.target())
    engines = set()
    numbers = []
    for _ in range(4):
        numbers.append(watching.frame().sequence)
        engines.add(id(watching.stream._connection.packetizer._engine))
    assert numbers == [1, 2, 3, 4]
    assert len(engines) > 1
    shared(watching)


def test_the_end_of_the_host_is_told_once(watch, sshd):
    watchings = [shared(watch(loop(SLOW))) for _ in range(3)]
    sshd.kill_sessions()
    for one in watchings:
        assert "closed the connection" in str(one.end())
        assert one.ends.empty()


def test_the_end_of_the_program_is_told(watch):
    watching = shared(watch(loop(script="sleep 1.5; echo why >&2; exit 7")))
    assert "with the status 7: why" in str(watching.end())


def test_what_is_no_frame_ends_the_stream(watch):
    watching = shared(watch(loop(script=r"sleep 1.5; printf '\036what\n'; sleep 9")))
    assert "something else than frames" in str(watching.end())
    assert watching.stream.run(Command(("echo", "warm"))).ok


@pytest.mark.parametrize(
    "flood",
    [
        "exec yes nonsense",
        "exec cat /dev/zero",
        r"""exec yes "$(printf '\0361 2')" """,
        r"""while :; do printf x; done""",
    ],
    ids=["nonsense", "a frame without end", "empty frames", "byte by byte"],
)
def test_a_host_that_floods_holds_up_nobody_else(watch, tmp_path, flood):
    other, begin = shared(watch(loop(SLOW))), tmp_path / "begin"
    script = r"""until [ -e "$2" ]; do printf '\0361 2\n'; sleep "$1"; done; """
    flooding = shared(watch(loop(SLOW, script + flood, str(begin))))
    begin.touch()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        other.frame()
    assert has_no_thread(other)
    assert not flooding.ends.qsize() or "larger than" in str(flooding.end())


def test_a_receiver_that_fails_ends_only_its_own_stream(watch, sshd):
    other = shared(watch(loop(SLOW)))
    ends = []
    fails = threading.Event()

    def fail(frame):
        if fails.is_set():
            raise LookupError("canary")

    with open_stream(sshd.target(), loop(SLOW), fail, ends.append):
        time.sleep(1.5)
        fails.set()
        time.sleep(1.5)
        assert "whose receiver failed" in str(ends[0])
    assert len(ends) == 1
    assert other.frame()


def test_a_callback_can_close_its_stream_but_not_run_a_command(sshd):
    errors, opened, ended = [], [], threading.Event()

    def on_frame(frame):
        if frame.sequence < 4:
            return
        try:
            opened[0].run(Command(("true",)))
        except RuntimeError as error:
            errors.append(error)
        opened[0].close()

    command = loop(SLOW)
    stream = open_stream(sshd.target(), command, on_frame, lambda _reason: ended.set())
    opened.append(stream)
    assert ended.wait(10)
    assert len(errors) == 1


def test_nothing_is_left_of_them(sshd):
    for _ in range(2):
        before = len(list(Path("/proc/self/fd").iterdir()))
        watching = Watching(sshd.target(), loop(SLOW))
        shared(watching).stream.close()
        assert watching.end() is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert watching.stream._connection.wire._sock.fileno() not in ROUNDS._looks
