"""Long streams: a program on a host that sends frames, and commands beside it.

One connection per host. The thread that reads it also cuts the frames and calls
`on_frame`; all that only bring frames share one, see together.py, and frames.py for the
format.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import paramiko

from cluster.lvs.command import Command
from cluster.remote.connection import (
    FAULTS,
    Connection,
    Sink,
    connect,
    explain,
    not_sent,
)
from cluster.remote.frames import LARGEST, Frame, FrameError, FrameReader
from cluster.remote.paramiko_shell import ParamikoShell, sent_line
from cluster.remote.shell import (
    NothingSent,
    Output,
    RemoteError,
    Secret,
    Shell,
    StreamEnded,
    Target,
)
from cluster.remote.wire import Deadline

OnFrame = Callable[[Frame], None]
OnEnd = Callable[[RemoteError | None], None]

# Of what the program complains about, this much is kept for the report.
COMPLAINT = 2048


def open_stream(
    target: Target,
    command: Command,
    on_frame: OnFrame,
    on_end: OnEnd,
    *,
    timeout: float = 8.0,
    largest: int = LARGEST,
) -> "Stream":
    """Log in and start `command`, whose deadline does not count here.

    Its standard input gets `command.stdin` and stays open as long as the stream, so
    a remote loop may sleep with ``read -t 1`` and ends when we go away.

    Both callbacks run in the reading thread, which other streams share, and must return
    soon; they may be called before this function returns. `on_end` is called once: with
    None after `close`, otherwise with the reason. If this function raises (NothingSent),
    never.
    """
    deadline = Deadline(timeout)
    connection = connect(target, deadline)
    # For its name and place: the key is not kept as long as the stream.
    target = replace(target, private_key=Secret(""))
    stream = Stream(target, connection, on_frame, on_end, largest)
    try:
        stream.start(command, deadline)
    except FAULTS as error:
        connection.hang_up()
        raise not_sent(target, error) from error
    except NothingSent:
        connection.hang_up()
        raise
    return stream


class Stream(Shell):
    """Also a Shell: `run` uses a second channel of the same warm connection.

    One thread at a time may call `run`, never a callback; any thread may close it.
    It stays a Shell after the program has ended, until it is closed.
    """

    def __init__(
        self,
        target: Target,
        connection: Connection,
        on_frame: OnFrame,
        on_end: OnEnd,
        largest: int,
    ) -> None:
        self._target = target
        self._connection = connection
        self._shell = ParamikoShell(target, connection)
        self._reader = FrameReader(largest)
        self._on_frame = on_frame
        self._on_end = on_end
        self._channel: paramiko.Channel | None = None
        self._complaint = b""
        self._in_callback = False
        self._lock = threading.Lock()
        self._running = False
        self._early_end: StreamEnded | None = None
        self._ended = False
        self._closing = False

    @property
    def name(self) -> str:
        return self._target.name

    def run(self, command: Command) -> Output:
        return self._shell.run(command)

    def run_all(self, commands: Sequence[Command]) -> list[Output]:
        return self._shell.run_all(commands)

    def run_in_order(self, commands: Sequence[Command]) -> Iterator[Output]:
        return self._shell.run_in_order(commands)

    def close(self) -> None:
        """End the program and the connection; no frame comes after this returns.

        From within a callback it returns at once, and the end follows.
        """
        self._closing = True
        self._connection.hang_up()

    def start(self, command: Command, deadline: Deadline) -> None:
        """Start the program; for open_stream. Raises NothingSent or FAULTS."""
        connection = self._connection
        channel = connection.open_session(timeout=deadline.left)
        self._channel = channel
        connection.stream_to(channel, Sink(connection, channel, self._take))
        complaints = Sink(connection, channel, self._take_complaint)
        channel.in_stderr_buffer = cast(Any, complaints)
        connection.on_end = self._connection_ended
        connection.on_channel_end = self._channel_ended
        connection.request_exec(channel, sent_line(command))
        if not channel.event.wait(deadline.left):
            raise TimeoutError
        if channel.chanid in connection.refused:
            raise NothingSent(
                self.name, f"{self._target.place} refused to start a command."
            )
        if not channel.event_ready:
            raise connection.get_exception() or EOFError()
        channel.settimeout(deadline.left)
        try:
            channel.sendall(command.stdin)
        except TimeoutError:
            raise
        except OSError:
            pass  # it has ended already, which is told below
        self._started()
        connection.share()

    def _started(self) -> None:
        with self._lock:
            self._running = True
            reason = self._early_end
        if reason is not None:
            self._finish(reason)

    def _take(self, data: bytes) -> bool:
        if self._ended or self._closing:
            return True
        try:
            frames = self._reader.feed(data)
        except FrameError as error:
            self._finish(self._reason(f"sent something else than frames: {error}"))
            cast(paramiko.Channel, self._channel).close()
            return False
        for frame in frames:
            self._deliver(frame)
        return True

    def _deliver(self, frame: Frame) -> None:
        if self._closing:
            return
        # If the callback raises, paramiko logs it and ends the connection.
        self._in_callback = True
        self._on_frame(frame)
        self._in_callback = False

    def _take_complaint(self, data: bytes) -> bool:
        self._complaint = (self._complaint + data)[-COMPLAINT:]
        return True

    def _channel_ended(self, channel: paramiko.Channel) -> None:
        if channel is not self._channel:
            return
        how = (
            f"with the status {channel.exit_status}"
            if channel.exit_status != -1
            else "without a status"
        )
        words = f"ended its stream {how}"
        complaint = self._complaint.decode("utf-8", "replace").strip()
        self._finish(self._reason(f"{words}: {complaint}" if complaint else words))

    def _connection_ended(self) -> None:
        if self._in_callback:
            words = "sent a frame whose receiver failed, see the log"
        else:
            _, words = explain(self._connection.get_exception() or EOFError())
        self._finish(self._reason(words))

    def _reason(self, words: str) -> StreamEnded:
        return StreamEnded(self.name, f"{self._target.place} {words}.")

    def _finish(self, reason: StreamEnded) -> None:
        with self._lock:
            if not self._running:
                # Either the opening fails, then that is the news, or it succeeds
                # and tells this.
                self._early_end = self._early_end or reason
                return
            if self._ended:
                return
            self._ended = True
        self._on_end(None if self._closing else reason)
