"""Hosts that are not there, vanish, fall silent or misbehave."""

import asyncio
import signal
import socket
import threading
import time

import pytest

from cluster.lvs.command import Command
from cluster.remote import paramiko_shell
from cluster.remote.paramiko_shell import open_shell
from cluster.remote.shell import (
    NothingSent,
    OutcomeUnknown,
    Unreachable,
)
from tests.remote.sshd import free_port

# It waits for the clock: not in make check.
pytestmark = pytest.mark.slow

ECHO = Command(("echo", "hello"))


def within(seconds, started):
    assert time.monotonic() - started < seconds


# -- hosts that are not there, or not what they seem ----------------------------------


def test_a_closed_port_is_unreachable(sshd):
    with pytest.raises(Unreachable, match=r"lb01 .* refused the connection"):
        open_shell(sshd.target(port=free_port()))


def test_a_name_that_does_not_resolve_is_unreachable(sshd):
    with pytest.raises(Unreachable, match="does not resolve"):
        open_shell(sshd.target(address="no-such-host.invalid"))


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def serve(listener, talk):
    def accept():
        peer, _ = listener.accept()
        peer.settimeout(1)
        with peer:
            try:
                talk(peer)
                while peer.recv(4096):
                    pass
            except OSError:
                pass

    thread = threading.Thread(target=accept)
    thread.start()
    return thread


def flood(peer):
    while True:
        peer.sendall(b"x" * 65536)


def drip(peer):
    while True:
        peer.sendall(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize(
    "talk",
    [
        lambda peer: None,
        lambda peer: peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"),
        lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 200),
        lambda peer: peer.sendall(b"SSH-1.5-old\r\n"),
        lambda peer: peer.sendall(b"SSH-2.0-x\r\n\xff\xff\xff\xf0" + b"\0" * 4096),
        lambda peer: peer.sendall(b"SSH-2.0-x\r\n" + b"\0" * 4096),
        lambda peer: peer.sendall(b"SSH-2.0-x\r\n\0\0\0\x0c\x04\x14" + b"\xff" * 64),
        lambda peer: peer.close(),
        flood,
        drip,
    ],
    ids=[
        "silent",
        "banner",
        "web",
        "old",
        "4GiB",
        "zero",
        "cut",
        "gone",
        "flood",
        "drip",
    ],
)
def test_what_does_not_speak_ssh_is_unreachable_in_time(listener, sshd, talk):
    thread = serve(listener, talk)
    started = time.monotonic()
    with pytest.raises(Unreachable, match="lb01"):
        open_shell(sshd.target(port=listener.getsockname()[1]), timeout=1.0)
    within(3, started)
    thread.join(5)
    assert not thread.is_alive()


# -- connections that are lost --------------------------------------------------------


def test_a_host_that_vanishes_leaves_the_outcome_unknown(sshd, tmp_path):
    marker = tmp_path / "started"
    with open_shell(sshd.target()) as shell:
        threading.Timer(0.5, sshd.kill_sessions).start()
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown, match=r"lb01.*touch"):
            shell.run(Command(("sh", "-c", f"touch {marker}; sleep 20")))
        within(2, started)
        assert marker.exists()
        with pytest.raises(Unreachable):
            shell.run(ECHO)


def test_a_connection_lost_before_the_command_sent_nothing(sshd):
    with open_shell(sshd.target()) as shell:
        sshd.kill_sessions()
        time.sleep(0.2)
        with pytest.raises(Unreachable, match="lb01"):
            shell.run(ECHO)


def test_a_silent_host_does_not_get_the_command(sshd, valve):
    with open_shell(sshd.target(port=valve.port)) as shell:
        assert shell.run(ECHO).ok
        valve.shut()
        started = time.monotonic()
        with pytest.raises(Unreachable, match="did not answer in time"):
            shell.run(Command(("echo", "hello"), deadline=0.5))
        within(1.0, started)


def test_a_host_that_falls_silent_leaves_the_outcome_unknown(sshd, valve):
    with open_shell(sshd.target(port=valve.port)) as shell:
        threading.Timer(0.3, valve.shut).start()
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown, match="did not answer in time"):
            shell.run(Command(("sleep", "20"), deadline=0.8))
        within(1.3, started)


def test_a_host_that_takes_no_more_input_keeps_no_one_waiting(sshd, valve):
    """The send buffer of the kernel is full then: paramiko alone would try for ever."""
    with open_shell(sshd.target(port=valve.port)) as shell:
        wire = shell._connection.wire
        wire._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        valve.left = 50_000
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            shell.run(Command(("cat",), b"x" * 64_000_000, deadline=0.7))
        within(1.2, started)
        assert wire._closed  # half a packet is out: nothing can follow it


def test_a_connection_lost_before_the_request_sent_nothing(sshd, monkeypatch):
    with open_shell(sshd.target()) as shell:
        connection = shell._connection
        open_session = connection.open_session

        def open_and_lose(timeout):
            channel = open_session(timeout=timeout)
            sshd.kill_sessions()
            connection.join(5)
            return channel

        monkeypatch.setattr(connection, "open_session", open_and_lose)
        started = time.monotonic()
        with pytest.raises(Unreachable, match="closed the connection"):
            shell.run(ECHO)
        within(2, started)


def test_close_from_another_thread_ends_a_command(sshd):
    with open_shell(sshd.target()) as shell:
        threading.Timer(0.3, shell.close).start()
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            shell.run(Command(("sleep", "20")))
        within(1.5, started)


def test_an_idle_connection_closes_at_once(shell):
    time.sleep(0.3)
    started = time.monotonic()
    shell.close()
    within(0.2, started)


# -- servers that misbehave -----------------------------------------------------------


async def forever(process):
    await asyncio.sleep(60)


async def die_before_the_status(process):
    process.stdout.write(b"done\n")
    await process.stdout.drain()
    process.channel.close()


async def cut_before_the_status(process):
    process.stdout.write(b"done\n")
    await process.stdout.drain()
    await asyncio.sleep(0.1)
    process.channel.get_connection().abort()


async def be_killed(process):
    process.stdout.write(b"half of it")
    process.exit_with_signal("KILL")


async def trickle(process):
    while True:
        process.stdout.write(b".")
        await asyncio.sleep(0.02)


async def gush(process):
    while True:
        process.stdout.write(b"x" * 32768)
        process.stderr.write(b"x" * 32768)
        await process.stdout.drain()


async def status_but_no_end(process):
    process.stdout.write(b"half of it")
    process.channel._send_request(b"exit-status", b"\0\0\0\0")
    await forever(process)


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (die_before_the_status, "did not say how the program ended"),
        (be_killed, "did not say how the program ended"),
        (cut_before_the_status, "the connection"),
        (trickle, "did not answer in time"),
        (gush, "did not answer in time"),
        (forever, "did not answer in time"),
        (status_but_no_end, "did not answer in time"),
    ],
)
def test_without_a_status_and_an_end_the_outcome_is_unknown(odd_server, behave, words):
    server = odd_server(behave)
    with open_shell(server.target()) as shell:
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown, match=words) as caught:
            shell.run(Command(("ipvsadm", "-R"), b"-Z\n", root=True, deadline=0.7))
        within(1.2, started)
    assert "sudo -n ipvsadm -R" in str(caught.value)


@pytest.mark.parametrize("refuse", ["session", "exec"])
def test_a_refused_command_was_not_sent(odd_server, refuse):
    server = odd_server(refuse=refuse)
    with open_shell(server.target()) as shell:
        for _ in range(2):
            with pytest.raises(NothingSent, match=r"lb01 .* refused"):
                shell.run(Command(("ipvsadm", "-R"), b"x" * 3_000_000))


def test_an_endless_answer_is_not_read_for_ever(odd_server, monkeypatch):
    monkeypatch.setattr(paramiko_shell, "DRAINED", 1024 * 1024)
    written = 0

    async def count(process):
        nonlocal written
        while True:
            process.stdout.write(b"x" * 32768)
            await process.stdout.drain()
            written += 32768

    with open_shell(odd_server(count).target()) as shell, pytest.raises(OutcomeUnknown):
        shell.run(Command(("yes",), deadline=2))
    # The window of the channel and the buffers on the way come on top.
    assert 8_000_000 < written < 8 * 1024 * 1024 + 8_000_000


def test_keys_are_exchanged_anew_in_the_middle_of_a_long_answer(sshd):
    with open_shell(sshd.target()) as shell:
        shell._connection.packetizer.REKEY_BYTES = 300_000
        for _ in range(3):
            output = shell.run(
                Command(
                    ("sh", "-c", "cat; head -c 6000000 /dev/zero"), b"x" * 2_000_000
                )
            )
            assert len(output.stdout) == 8_000_000
        assert shell._connection.packetizer._bytes < 2_000_000


def test_fifty_logins_at_once_are_fifty_threads(sshd):
    before = threading.active_count()
    shells = [open_shell(sshd.target()) for _ in range(50)]
    time.sleep(0.2)
    assert threading.active_count() - before <= 50
    for shell in shells:
        assert shell.run(ECHO).ok
        shell.close()
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
