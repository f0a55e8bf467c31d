"""Many commands in one round trip, when the host or the connection fails on the way."""

import socket
import threading
import time

import pytest

from cluster.lvs import sequence
from cluster.lvs.command import Command
from cluster.remote.paramiko_shell import open_shell
from cluster.remote.shell import NothingSent, OutcomeUnknown

# It waits for the clock: not in make check.
pytestmark = pytest.mark.slow

ECHO = Command(("echo", "hello"))


def touch(path):
    return Command(("touch", str(path)))


def test_a_connection_cut_in_the_middle_leaves_the_rest_unknown(sshd, tmp_path):
    """What was answered is known; the host does not go on for nobody."""
    first, last = tmp_path / "first", tmp_path / "last"
    with open_shell(sshd.target()) as shell:
        answers = shell.run_in_order(
            [touch(first), Command(("sleep", "0.7")), touch(last)]
        )
        assert next(answers).ok
        sshd.kill_sessions()
        with pytest.raises(OutcomeUnknown, match=r"lb01.*: sleep 0.7; touch .*last"):
            next(answers)
        time.sleep(1)
        assert first.exists()
        assert not last.exists()


def test_who_stops_listening_stops_the_commands(sshd, tmp_path):
    last = tmp_path / "last"
    with open_shell(sshd.target()) as shell:
        answers = shell.run_in_order([ECHO, Command(("sleep", "0.5")), touch(last)])
        assert next(answers).ok
        answers.close()
        assert shell.run(ECHO).ok
        time.sleep(1)
        assert not last.exists()


def test_commands_that_take_too_long_are_unknown_and_end(sshd, tmp_path, monkeypatch):
    last = tmp_path / "last"
    monkeypatch.setattr(sequence, "time_for", lambda commands: 1.0)
    monkeypatch.setattr(sequence, "MARGIN", 0.2)
    with open_shell(sshd.target()) as shell:
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown, match=r"sleep 3; touch"):
            list(shell.run_in_order([Command(("sleep", "3")), touch(last)]))
        assert time.monotonic() - started < 2
        time.sleep(2.5)
        assert not last.exists()


@pytest.mark.slow
def test_a_script_that_does_not_arrive_whole_is_not_begun(sshd, valve, tmp_path):
    first = tmp_path / "first"
    lines = b"x" * 63 + b"\n"
    with open_shell(sshd.target(port=valve.port)) as shell:
        shell._connection.wire._sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
        )
        valve.left = 20_000
        commands = [touch(first), Command(("wc", "-c"), lines * 1000)]
        threading.Timer(0.7, sshd.kill_sessions).start()
        with pytest.raises(OutcomeUnknown):
            list(shell.run_in_order(commands))
        time.sleep(0.5)
        assert not first.exists()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"\x1e\x1e0\x1e", "ended the commands early, with the status 0"),
        (b"\x1e\x1e?\x1e", "an exit status is no number"),
        (b"\x1e\x1e1\x1emore", "more was said than was asked"),
    ],
)
def test_a_host_that_answers_oddly_leaves_the_outcome_unknown(odd_server, said, words):
    async def behave(process):
        process.stdout.write(said)
        process.stdout.write_eof()
        process.exit(0)

    with (
        open_shell(odd_server(behave).target()) as shell,
        pytest.raises(OutcomeUnknown, match=words),
    ):
        list(shell.run_in_order([ECHO, ECHO]))


@pytest.mark.parametrize("refuse", ["session", "exec"])
def test_a_refused_script_was_not_sent(odd_server, refuse):
    with (
        open_shell(odd_server(refuse=refuse).target()) as shell,
        pytest.raises(NothingSent),
    ):
        list(shell.run_in_order([ECHO, ECHO]))
