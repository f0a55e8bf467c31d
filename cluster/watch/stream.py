"""One director's stream: opened, watched over, and opened again after a pause.

``step`` is called by the manager thread only, ``read`` by the one that reads frames; they
come in the thread of the connection. What several touch is guarded by a lock or is
replaced as a whole.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from cryptography.fernet import InvalidToken

from cluster.control.targets import target_of
from cluster.lvs.command import Command
from cluster.lvs.frame import split_frame
from cluster.lvs.rates import Moment
from cluster.models import Host
from cluster.remote.frames import Frame
from cluster.remote.shell import (
    HostKeyChanged,
    HostKeyUnknown,
    NothingSent,
    Output,
    RemoteError,
    StreamEnded,
    Unreachable,
)
from cluster.remote.stream import Stream, open_stream
from cluster.watch.sample import Sample, Sampler

log = logging.getLogger(__name__)

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
# A host that is not the one that was accepted is only asked for its key, seldom.
STRANGER_PAUSE = 60.0
# So long without a frame, and the connection is taken for dead.
SILENCE = 15.0
# So many frames of a director wait to be read: a worker that cannot keep up drops the
# oldest rather than fill the memory.
MOST_WAITING = 3
# A stream that held so long was a good one: the next pause is short again.
PROVEN = 10.0


def in_background(work: Callable[[], None]) -> threading.Thread:
    """Start `work`; a worker that ends does not wait for it, as an executor would."""
    thread = threading.Thread(target=work, name="watch-open", daemon=True)
    thread.start()
    return thread


# What a stream depends on; when one of them changes, the stream starts anew.
IDENTITY = (
    "name",
    "ssh_address",
    "ssh_port",
    "ssh_user",
    "host_key",
    "credential_id",
    "credential__public_key",
)


class Arrived(NamedTuple):
    """A frame that is not read yet; *at* is the time, *sampler* that of its connection."""

    sampler: Sampler
    body: bytes
    moment: Moment
    at: float


class DirectorStream:
    """The state of one director in this worker.

    *error* is why there is no stream now, None while there is one or at the start.
    """

    def __init__(
        self,
        host: Host,
        command: Command,
        on_frame: Callable[[DirectorStream], None],
    ) -> None:
        self.host = host
        self.command = command
        self.error: RemoteError | None = None
        self.last_sample: Sample | None = None
        self._on_frame = on_frame
        # Not a deque: an empty one takes 700 bytes, times all directors.
        self._waiting: list[Arrived] = []
        self._sampler = Sampler()
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._over = False
        self._opening = False
        self._stopped = False
        self._failures = 0
        self._retry_at = 0.0
        self._opened_at = 0.0
        self._heard_at = 0.0
        self._complaint = ""

    @property
    def is_open(self) -> bool:
        return self._stream is not None and not self._over

    @property
    def is_opening(self) -> bool:
        return self._opening

    def step(self, *, may_open: bool) -> None:
        """Open the stream if it is time to, and end one that has fallen silent."""
        now = time.monotonic()
        if self._opening:
            return
        if self._stream is not None and not self._over:
            if now - self._heard_at < SILENCE:
                return
            seconds = int(now - self._heard_at)
            place = f"{self.host.name} ({self.host.ssh_address})"
            said = f"{place} has sent nothing for {seconds} s."
            self._fail(Unreachable(self.host.name, said))
        if self._stream is not None:
            stream, self._stream = self._stream, None
            in_background(stream.close)
        elif may_open and now >= self._retry_at:
            self._opening = True
            in_background(self._open)

    def stop(self) -> None:
        """End the stream for good; no sample comes after this returns."""
        with self._lock:
            self._stopped = True
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def run(self, command: Command) -> Output:
        """Run a command beside the stream, from one thread at a time.

        Raises RemoteError, also while there is no stream.
        """
        with self._lock:
            stream = None if self._over else self._stream
        if stream is None:
            name = self.host.name
            raise self.error or NothingSent(name, f"{name} is not connected yet.")
        return stream.run(command)

    def _open(self) -> None:
        self._sampler = Sampler()
        self._over = False
        self._opened_at = self._heard_at = time.monotonic()
        try:
            stream = open_stream(
                target_of(self.host), self.command, self._take, self._ended
            )
        except RemoteError as error:
            self._fail(error)
        except (InvalidToken, ValueError):
            # No detail: it may be about a secret.
            said = f"The login key or the host key of {self.host.name} cannot be read."
            self._fail(RemoteError(self.host.name, said))
        else:
            with self._lock:
                stopped = self._stopped
                self._stream = None if stopped else stream
            if stopped:
                stream.close()
        self._opening = False

    def _take(self, frame: Frame) -> None:
        moment = Moment(frame.sent_at, time.monotonic())
        arrived = Arrived(self._sampler, frame.body, moment, time.time())
        self._waiting.append(arrived)
        del self._waiting[:-MOST_WAITING]
        self._on_frame(self)

    def read(self) -> Sample | None:
        """Return the sample of the oldest frame that waits, None when it is dropped."""
        try:
            arrived = self._waiting.pop(0)
        except IndexError:  # there were too many
            return None
        moment = arrived.moment
        try:
            sections = split_frame(arrived.body)
            sample = arrived.sampler.take(sections, moment, arrived.at)
        except ValueError as error:
            # Dropped as a whole. If all are like that, the page shows their age.
            if str(error) != self._complaint:
                self._complaint = str(error)
                name = self.host.name
                log.warning("%s sends frames that are dropped: %s", name, error)
            return None
        self._heard_at = moment.here
        if moment.here - self._opened_at > PROVEN:
            self._failures = 0
        if self._stopped or arrived.sampler is not self._sampler:
            return None
        self.error = None
        self.last_sample = sample
        return sample

    def _ended(self, reason: RemoteError | None) -> None:
        if reason is None:
            return
        self._fail(reason)

    def _fail(self, error: RemoteError) -> None:
        if isinstance(error, HostKeyChanged | HostKeyUnknown):
            pause = STRANGER_PAUSE
        else:
            pause = min(SHORTEST_PAUSE * 2**self._failures, LONGEST_PAUSE)
            # Many directors lost at once do not come back at the same moment.
            pause *= random.uniform(0.5, 1.0)  # noqa: S311 (no secret)
        self._failures = min(self._failures + 1, 10)
        self._retry_at = time.monotonic() + pause
        self.error = error
        self._over = True
        if not isinstance(error, StreamEnded):
            log.info("%s: %s Next try in %.0f s.", self.host.name, error, pause)
        else:
            log.warning("%s Next try in %.0f s.", error, pause)
