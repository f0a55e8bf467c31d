"""A Shell over SSH: one connection, one channel per command (4 ms on a warm one).

What only reads goes through a shell that stays open (co_shell.py, under 1 ms). See
shell.py for what can be raised, connection.py for the login.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, cast

import paramiko

from cluster.lvs import batch, sequence
from cluster.lvs.command import Command
from cluster.remote.co_shell import (
    DRAINED,
    STDERR_CAP,
    STDOUT_CAP,
    Broken,
    CoShell,
    Late,
)
from cluster.remote.connection import (
    FAULTS,
    Connection,
    Sink,
    connect,
    explain,
    fetch_host_key,
    new_key_pair,
    not_sent,
)
from cluster.remote.shell import (
    NothingSent,
    OutcomeUnknown,
    Output,
    Shell,
    Target,
)
from cluster.remote.wire import Deadline

__all__ = [
    "STDERR_CAP",
    "STDOUT_CAP",
    "ParamikoShell",
    "fetch_host_key",
    "new_key_pair",
    "open_shell",
]

CHUNK = 32 * 1024


def open_shell(target: Target, *, timeout: float = 8.0) -> Shell:
    """Log in within `timeout` seconds, all in all. Raises NothingSent."""
    return ParamikoShell(target, connect(target, Deadline(timeout)))


def sent_line(command: Command) -> str:
    """Return what sshd is told to run.

    The prefix is shell syntax, because sshd may refuse to take LC_ALL from us
    (AcceptEnv). sudo lets LC_* pass by default (env_check); where a sudoers file
    takes them away nothing is lost for ipvsadm, which is not translated.
    """
    return f"LC_ALL=C {command.line}"


class ParamikoShell(Shell):
    """One thread at a time may use it; any thread may close it."""

    def __init__(self, target: Target, connection: Connection) -> None:
        self._target = target
        self._connection = connection
        self._co_shell: CoShell | None = None

    @property
    def name(self) -> str:
        return self._target.name

    def close(self) -> None:
        self._connection.hang_up()

    def run(self, command: Command) -> Output:
        """Run `command`; raises NothingSent or OutcomeUnknown.

        1. Open a channel; until here nothing was sent.
        2. Ask for the command and send its input, without waiting for answers.
        3. Read both streams to their end, and only then ask for the exit status.
        """
        if command.reads and not command.stdin:
            output = self._ask(command)
            if output is not None:
                return output
        with self._call(command) as call:
            return call.run()

    def _ask(self, command: Command) -> Output | None:
        """Run what changes nothing in the shell that is open; None when it broke."""
        with self._call(command) as call:
            try:
                if self._co_shell is None:
                    self._co_shell = call.co_shell()
                return self._co_shell.ask(command, call.deadline)
            except Broken as error:
                if self._co_shell is not None:
                    self._co_shell.close()
                self._co_shell = None
                if isinstance(error, Late):
                    raise call.unknown("did not answer in time") from error
        return None

    def run_all(self, commands: Sequence[Command]) -> list[Output]:
        """Run commands that change nothing, as one script on one channel."""
        output = self.run(batch.batch(commands))
        return apart(self.name, len(commands), output)

    def run_in_order(self, commands: Sequence[Command]) -> Iterator[Output]:
        """Run commands one after the other, as one script on one channel."""
        if len(commands) == 1:
            yield self.run(commands[0])
            return
        with self._call(sequence.sequence(commands)) as call:
            yield from call.answers(sequence.Reader(commands))

    @contextmanager
    def _call(self, command: Command) -> Iterator["_Call"]:
        if self._connection.is_read_here:
            raise RuntimeError("the thread that reads the connection cannot wait")
        call = _Call(self._target, self._connection, command)
        wire = self._connection.wire
        wire.give_up_at = call.deadline.at
        self._connection.clear_to_send_timeout = command.deadline
        try:
            yield call
        finally:
            wire.give_up_at = math.inf


def apart(name: str, count: int, output: Output) -> list[Output]:
    """Return the answers to a batch; raises OutcomeUnknown when one is missing."""
    try:
        answers = batch.split(count, output.stdout, output.stderr)
    except batch.Garbled as error:
        raise OutcomeUnknown(name, f"{name} did not answer everything: {error}") from (
            error
        )
    seconds = output.seconds / max(1, count)
    return [
        Output(status, out, err, seconds, truncated=False)
        for status, out, err in answers
    ]


class _Capped:
    """Keep the first `cap` bytes of a stream."""

    def __init__(self, cap: int) -> None:
        self._left = cap
        self._drained = 0
        self._chunks: list[bytes] = []
        self.truncated = False

    def take(self, data: bytes) -> bool:
        if len(data) > self._left:
            self.truncated = True
            self._drained += len(data)
            data = data[: self._left]
        if data:
            self._left -= len(data)
            self._chunks.append(data)
        return self._drained < DRAINED

    @property
    def data(self) -> bytes:
        return b"".join(self._chunks)


class _Arriving(Sink):
    """Hands data to another thread, up to an end that is None."""

    def __init__(
        self, connection: Connection, channel: paramiko.Channel, ended: Event
    ) -> None:
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._drained = 0
        super().__init__(connection, channel, self._put, ended)

    def _put(self, data: bytes) -> bool:
        self._queue.put(data)
        self._drained += len(data)
        return self._drained < DRAINED

    def close(self) -> None:
        super().close()
        self._queue.put(None)

    def chunks(self, deadline: Deadline) -> Iterator[bytes]:
        """Yield what arrives until the end; raises TimeoutError."""
        while True:
            try:
                data = self._queue.get(timeout=deadline.left)
            except Empty:
                raise TimeoutError from None
            if data is None:
                return
            yield data


class _Call:
    """One command on one channel."""

    def __init__(
        self, target: Target, connection: Connection, command: Command
    ) -> None:
        self._target = target
        self._connection = connection
        self._command = command
        self._reader: sequence.Reader | None = None
        self._complaints = _Capped(STDERR_CAP)
        self._started = time.monotonic()
        self.deadline = Deadline(command.deadline)

    def run(self) -> Output:
        channel = self._open()
        out = _Capped(STDOUT_CAP)
        try:
            ended = Event()
            self._ask(channel, Sink(self._connection, channel, out.take, ended))
            return Output(
                exit_status=self._end(channel, ended),
                stdout=out.data,
                stderr=self._complaints.data,
                seconds=time.monotonic() - self._started,
                truncated=out.truncated or self._complaints.truncated,
            )
        except FAULTS as error:
            raise self.unknown(explain(error)[1]) from error
        finally:
            self._close(channel)

    def answers(self, reader: sequence.Reader) -> Iterator[Output]:
        """Yield the answers to a sequence as they come."""
        channel = self._open()
        self._reader = reader
        try:
            ended = Event()
            stdout = _Arriving(self._connection, channel, ended)
            self._ask(channel, stdout)
            for chunk in stdout.chunks(self.deadline):
                for answer in reader.feed(chunk):
                    yield self._output(answer)
                if reader.is_over:
                    return
            status = self._end(channel, ended)
            said = self._complaints.data.decode("utf-8", "replace").strip()
            words = f"ended the commands early, with the status {status}"
            words = f"{words}: {said[:300]}" if said else words
            raise self.unknown(words)
        except FAULTS as error:
            raise self.unknown(explain(error)[1]) from error
        except batch.Garbled as error:
            raise self.unknown(f"answers oddly: {error}") from error
        finally:
            self._close(channel)

    def _output(self, answer: sequence.Answer) -> Output:
        now = time.monotonic()
        seconds, self._started = now - self._started, now
        return Output(
            answer.exit_status, answer.stdout, answer.stderr, seconds, answer.truncated
        )

    def co_shell(self) -> CoShell:
        return CoShell(self._connection, self._open())

    def _open(self) -> paramiko.Channel:
        try:
            return self._connection.open_session(timeout=self.deadline.left)
        except FAULTS as fault:
            error: BaseException = fault
            if self.deadline.passed:
                # It answers nothing any more; a late channel would be a riddle.
                self._connection.hang_up()
                error = TimeoutError()
            elif not self._connection.is_active():
                error = EOFError()
            raise not_sent(self._target, error) from fault

    def _ask(self, channel: paramiko.Channel, stdout: Sink) -> None:
        """Send the command and its input; the answer goes to *stdout*."""
        stderr = Sink(self._connection, channel, self._complaints.take)
        channel.in_buffer = cast(Any, stdout)
        channel.in_stderr_buffer = cast(Any, stderr)
        if channel.closed:  # before the sinks were there to hear of it
            raise not_sent(self._target, EOFError())
        self._connection.request_exec(channel, sent_line(self._command))
        self._send_input(channel)

    def _end(self, channel: paramiko.Channel, ended: Event) -> int:
        """Wait for the end of the output, and return the exit status."""
        # recv_exit_status knows no timeout, so wait for what it waits for.
        for event in (ended, channel.status_event):
            if not event.wait(self.deadline.left):
                raise TimeoutError
        if channel.chanid in self._connection.refused:
            raise NothingSent(
                self._target.name, f"{self._target.place} refused to start a command."
            )
        if not self._connection.is_active() and not channel.eof_received:
            raise self._connection.get_exception() or EOFError()
        if channel.exit_status == -1 or not channel.eof_received:
            raise self.unknown("did not say how the program ended")
        return channel.exit_status

    def _send_input(self, channel: paramiko.Channel) -> None:
        data, start = self._command.stdin, 0
        while start < len(data):
            if self.deadline.passed:
                raise TimeoutError
            channel.settimeout(self.deadline.left)
            try:
                sent = channel.send(data[start : start + CHUNK])
            except TimeoutError:
                raise
            except OSError:
                return  # the command ended without reading the rest: no fault
            if not sent:
                return
            start += sent
        channel.shutdown_write()

    def _close(self, channel: paramiko.Channel) -> None:
        self._connection.refused.discard(channel.chanid)
        try:
            channel.close()
        except FAULTS:
            self._connection.hang_up()

    def unknown(self, words: str) -> OutcomeUnknown:
        what = self._reader.shown if self._reader else self._command.line
        return OutcomeUnknown(
            self._target.name,
            f"{self._target.place} {words}. It is not known what became of: {what}",
        )
