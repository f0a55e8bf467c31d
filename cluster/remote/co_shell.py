"""A shell that stays open on the host and is asked one thing after the other.

A channel of its own costs each command two round trips, a process of sshd and a login
shell; here it is one round trip and the program itself. Only for commands that change
nothing: whatever goes wrong on the way, they may be run again.

A request is one line for ``sh``: the command in a subshell, without any input, and then
a mark behind each of its two outputs. The mark has 64 bits of chance in it.
"""

import secrets
import threading
import time
from typing import Any, cast

import paramiko

from cluster.lvs.command import Command
from cluster.remote.connection import FAULTS, Connection, Sink
from cluster.remote.shell import Output
from cluster.remote.wire import Deadline

STDOUT_CAP = 8 * 1024 * 1024
STDERR_CAP = 256 * 1024
# Output past a cap is still read, so that the command can end, but not for ever:
# after this much the host is left waiting until the deadline.
DRAINED = 64 * 1024 * 1024
# A mark, a status and the end of the line.
_TRAILER = 40


class Broken(Exception):
    """The shell is of no use any more. What it was asked may have been run."""


class Late(Broken):
    """No answer before the deadline; the program may still run."""


class CoShell:
    """One thread at a time asks."""

    def __init__(self, connection: Connection, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._mark = b"\x1e" + secrets.token_hex(8).encode()
        self._changed = threading.Condition()
        self._out = _Answer(self._mark, STDOUT_CAP)
        self._err = _Answer(self._mark, STDERR_CAP)
        stdout = _Ear(connection, channel, self._changed, self._out)
        stderr = _Ear(connection, channel, self._changed, self._err)
        channel.in_buffer = cast(Any, stdout)
        channel.in_stderr_buffer = cast(Any, stderr)
        try:
            connection.request_exec(channel, "exec sh")
        except FAULTS as error:
            raise Broken("it does not start") from error

    def ask(self, command: Command, deadline: Deadline) -> Output:
        """Run `command`, which has no input; raises Broken."""
        began = time.monotonic()
        mark = self._mark.decode().replace("\x1e", "\\036")
        line = (
            f"(LC_ALL=C {command.line}) </dev/null;"
            f" printf '{mark} %d\\n' $?; printf '{mark} 0\\n' >&2\n"
        )
        with self._changed:
            if self._out.data or self._err.data:
                raise Broken("it said something that it was not asked for")
        self._send(line.encode(), deadline)
        with self._changed:
            self._changed.wait_for(lambda: self._is_over, deadline.left)
            status, complaint = self._out.status, self._err.status
            if self._channel.closed or self._channel.eof_received:
                raise Broken("it has ended")
            if status is None or complaint is None:
                raise Late
            seconds = time.monotonic() - began
            cut = self._out.truncated or self._err.truncated
            return Output(status, self._out.take(), self._err.take(), seconds, cut)

    @property
    def _is_over(self) -> bool:
        ended = bool(self._channel.closed or self._channel.eof_received)
        answered = self._out.status is not None and self._err.status is not None
        return ended or answered

    def _send(self, line: bytes, deadline: Deadline) -> None:
        self._channel.settimeout(deadline.left)
        try:
            self._channel.sendall(line)
        except FAULTS as error:
            raise Broken("it takes no request") from error

    def close(self) -> None:
        """Let it go; what it runs may go on until it wants to print something."""
        try:
            self._channel.close()
        except FAULTS:
            pass  # the connection is gone, and the shell with it


class _Answer:
    """One of the two outputs of a request: its first bytes, and its end."""

    def __init__(self, mark: bytes, cap: int) -> None:
        self._mark, self._cap = mark, cap
        self._clear()

    def _clear(self) -> None:
        self.data = bytearray()
        self.truncated = False
        self.status: int | None = None
        self.drained = 0

    def add(self, data: bytes) -> None:
        self.data += data
        self._find_end()
        over = len(self.data) - self._cap
        if self.status is None and over > _TRAILER:
            # Behind the cap only the end is of interest.
            del self.data[self._cap : -_TRAILER]
            self.drained += over - _TRAILER
            self.truncated = True

    def _find_end(self) -> None:
        mark = self.data.rfind(self._mark, max(0, len(self.data) - _TRAILER))
        end = bytes(self.data[mark:]) if mark >= 0 else b""
        number = end[len(self._mark) + 1 : -1]
        if end.endswith(b"\n") and number.isdigit():
            self.status = int(number)
            self.truncated = self.truncated or mark > self._cap
            del self.data[min(mark, self._cap) :]

    def take(self) -> bytes:
        data = bytes(self.data)
        self._clear()
        return data


class _Ear(Sink):
    """Hears one output, and wakes up who waits for it."""

    def __init__(
        self,
        connection: Connection,
        channel: paramiko.Channel,
        changed: threading.Condition,
        answer: _Answer,
    ) -> None:
        super().__init__(connection, channel, self._hear)
        self._changed, self._answer = changed, answer

    def _hear(self, data: bytes) -> bool:
        with self._changed:
            self._answer.add(data)
            if self._answer.status is not None:
                self._changed.notify_all()
        return self._answer.drained < DRAINED

    def close(self) -> None:
        super().close()
        with self._changed:
            self._changed.notify_all()
