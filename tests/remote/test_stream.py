"""Long streams over a real sshd."""

import re
import threading
import time
from pathlib import Path
from queue import Empty, Queue

import pytest

from cluster.lvs.command import Command
from cluster.remote.paramiko_shell import new_key_pair
from cluster.remote.shell import (
    HostKeyChanged,
    LoginRefused,
    NothingSent,
    OutcomeUnknown,
    StreamEnded,
    Unreachable,
)
from cluster.remote.stream import open_stream

LOOP = (
    "n=0; while n=$((n + 1)); "
    r"printf 'frame %s\n\036%s %s\n' $n $n $(date +%s.%N); "
    "do sleep $1; done"
)


def loop(period=0.05, script=LOOP, *argv):
    return Command(("sh", "-c", script, "sh", str(period), *argv))


class Watching:
    """A stream and what came of it."""

    def __init__(self, target, command, **options):
        self.frames, self.ends = Queue(), Queue()
        self.stream = open_stream(
            target, command, self.frames.put, self.ends.put, **options
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stream.close()

    def frame(self):
        return self.frames.get(timeout=5)

    def end(self):
        return self.ends.get(timeout=5)


@pytest.fixture
def watch(sshd):
    opened = []

    def start(command, **options):
        opened.append(
            Watching(options.pop("target", sshd.target()), command, **options)
        )
        return opened[-1]

    yield start
    for one in opened:
        one.stream.close()


def test_frames_arrive_in_order_and_soon(watch):
    watching = watch(loop())
    for number in range(1, 11):
        frame = watching.frame()
        assert frame.sequence == number
        assert frame.body == b"frame %d\n" % number
        assert abs(time.time() - frame.sent_at) < 1


def test_half_a_frame_is_dropped(watch):
    watching = watch(loop(script="printf 'one\\n\\0361 2\\nhalf of a fr'"))
    assert watching.frame().body == b"one\n"
    assert isinstance(watching.end(), StreamEnded)
    assert watching.frames.empty()


def test_a_trailer_without_its_newline_is_dropped(watch):
    watching = watch(loop(script="printf 'one\\n\\0361 176400'"))
    assert isinstance(watching.end(), StreamEnded)
    assert watching.frames.empty()


def test_large_frames_arrive_whole(watch):
    script = (
        "for n in 1 2 3; do head -c 9000000 /dev/zero; printf '\\036%s 2\\n' $n; done"
    )
    watching = watch(loop(script=script))
    for number in (1, 2, 3):
        frame = watching.frame()
        assert (len(frame.body), frame.sequence) == (9_000_000, number)


def test_a_frame_that_is_too_large_ends_the_stream(watch):
    watching = watch(loop(script="yes"), largest=100_000)
    assert "larger than 100000" in str(watching.end())
    assert watching.frames.empty()


def test_bytes_that_are_no_frames_end_the_stream(watch):
    watching = watch(loop(script="printf '\\036what?\\n'; sleep 20"))
    assert "something else than frames" in str(watching.end())


def test_close_is_clean_and_told_once(watch):
    watching = watch(loop())
    watching.frame()
    started = time.monotonic()
    watching.stream.close()
    watching.stream.close()
    assert time.monotonic() - started < 0.5
    assert watching.end() is None
    count = watching.frames.qsize()
    time.sleep(0.2)
    assert watching.frames.qsize() == count
    with pytest.raises(Empty):
        watching.ends.get_nowait()


def test_close_from_another_thread(watch):
    watching = watch(loop())
    thread = threading.Thread(target=watching.stream.close)
    thread.start()
    assert watching.end() is None
    thread.join(5)


@pytest.mark.parametrize("where", ["frame", "end"])
def test_close_from_a_callback(sshd, where):
    ends, opened = Queue(), Queue()

    def on_frame(frame):
        if where == "frame":
            stream = opened.get(timeout=5)
            stream.close()
            opened.put(stream)

    def on_end(reason):
        ends.put(reason)
        opened.get(timeout=5).close()

    script = LOOP if where == "frame" else "sleep 0.2"
    opened.put(open_stream(sshd.target(), loop(script=script), on_frame, on_end))
    reason = ends.get(timeout=5)
    assert (reason is None) is (where == "frame")


def test_the_remote_program_ends_when_the_stream_is_closed(watch):
    watching = watch(loop(0.05, 'printf "$$\\0361 2\\n"; exec cat'))
    pid = int(watching.frame().body)
    assert Path(f"/proc/{pid}").exists()
    watching.stream.close()
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.05)
    pytest.fail(f"the remote program {pid} is still there")


def test_input_stays_open_so_that_a_loop_can_sleep_by_reading(watch):
    script = (
        r"read -r first; n=0; while n=$((n + 1)); printf '%s\036%s 0\n' $first $n; "
        "do read -t 0.05 -r more; test $? -gt 128 || exit 9; done"
    )
    command = Command(("bash", "--norc", "-c", script), b"hello\n")
    watching = watch(command)
    assert [watching.frame().body for _ in range(5)] == [b"hello"] * 5
    assert watching.ends.empty()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "ended its stream with the status 3."),
        ("echo no such table >&2; exit 1", "with the status 1: no such table."),
        ("kill -9 $$", "ended its stream without a status"),
        ("exec no-such-shell", "with the status 127: .*not found"),
    ],
)
def test_the_reason_says_how_the_program_ended(watch, script, words):
    watching = watch(loop(script=script))
    reason = watching.end()
    assert isinstance(reason, StreamEnded)
    assert reason.host == "lb01"
    assert re.search(words, str(reason))


def test_an_end_during_the_opening_is_told(watch):
    """Nobody reads the input, so the opening lasts until the program has ended."""
    watching = watch(Command(("sh", "-c", "sleep 0.2; exit 3"), b"x" * 5_000_000))
    assert "with the status 3" in str(watching.end())


def test_a_host_that_vanishes_ends_the_stream(sshd, watch):
    watching = watch(loop())
    watching.frame()
    sshd.kill_sessions()
    assert isinstance(watching.end(), StreamEnded)
    with pytest.raises(Unreachable):
        watching.stream.run(Command(("true",)))


def test_commands_run_beside_the_frames(watch):
    watching = watch(loop(0.01))
    for number in range(20):
        assert watching.stream.run(Command(("echo", str(number)))).text == f"{number}\n"
    data = bytes(range(256)) * 4096
    assert watching.stream.run(Command(("cat",), data)).stdout == data
    assert watching.stream.name == "lb01"
    sequences = [watching.frame().sequence for _ in range(watching.frames.qsize())]
    assert sequences == list(range(1, len(sequences) + 1))


def test_commands_still_run_when_the_program_has_ended(watch):
    watching = watch(loop(script="exit 0"))
    assert "status 0" in str(watching.end())
    assert watching.stream.run(Command(("echo", "warm"))).text == "warm\n"


def test_a_late_command_does_not_end_the_stream(watch):
    watching = watch(loop())
    with pytest.raises(OutcomeUnknown):
        watching.stream.run(Command(("sleep", "20"), deadline=0.3))
    while not watching.frames.empty():
        watching.frame()
    watching.frame()
    assert watching.ends.empty()


def test_a_receiver_that_fails_ends_its_stream(sshd):
    ends = Queue()

    def fail(frame):
        raise LookupError("canary")

    with open_stream(sshd.target(), loop(), fail, ends.put):
        assert "whose receiver failed" in str(ends.get(timeout=5))


def test_a_callback_cannot_wait_for_a_command(sshd):
    errors, opened = Queue(), Queue()

    def on_frame(frame):
        stream = opened.get(timeout=5)
        try:
            stream.run(Command(("true",)))
        except RuntimeError as error:
            errors.put(error)
        stream.close()

    opened.put(open_stream(sshd.target(), loop(), on_frame, lambda reason: None))
    assert isinstance(errors.get(timeout=5), RuntimeError)


def test_keys_are_exchanged_anew_while_frames_come(watch):
    script = "for n in $(seq 200); do head -c 100000 /dev/zero; printf '\\036%s 2\\n' $n; done"
    watching = watch(loop(script=f"sleep 0.3; {script}; sleep 20"))
    watching.stream._connection.packetizer.REKEY_BYTES = 1_000_000
    for number in range(1, 201):
        frame = watching.frame()
        assert (frame.sequence, len(frame.body)) == (number, 100_000)
    assert watching.stream.run(Command(("echo", "warm"))).ok


def test_twenty_streams_have_one_thread_each_at_most(sshd):
    before = threading.active_count()
    watchings = [Watching(sshd.target(), loop(0.2)) for _ in range(20)]
    for watching in watchings:
        watching.frame()
    time.sleep(0.2)
    assert threading.active_count() - before <= 20
    for watching in watchings:
        watching.stream.close()
        assert watching.end() is None


def test_closed_streams_leave_no_descriptor(sshd):
    for _ in range(3):
        before = len(list(Path("/proc/self/fd").iterdir()))
        with Watching(sshd.target(), loop()) as watching:
            watching.frame()
        after = len(list(Path("/proc/self/fd").iterdir()))
    assert after <= before


def test_a_failed_opening_tells_only_the_caller(sshd, odd_server):
    ends = Queue()
    for target, error in (
        (sshd.target(private_key=new_key_pair().private), LoginRefused),
        (sshd.target(host_key=odd_server().host_key), HostKeyChanged),
        (sshd.target(port=1), Unreachable),
        (odd_server(refuse="session").target(), NothingSent),
        (odd_server(refuse="exec").target(), NothingSent),
    ):
        with pytest.raises(error, match="lb01"):
            open_stream(target, loop(), ends.put, ends.put)
    assert ends.empty()


def test_a_silent_host_does_not_hold_up_the_opening(sshd, valve):
    valve.shut()
    started = time.monotonic()
    with pytest.raises(Unreachable, match="did not answer in time"):
        Watching(sshd.target(port=valve.port), loop(), timeout=0.5)
    assert time.monotonic() - started < 1.0
