"""The TCP connection below SSH, with the waiting that paramiko does not have.

paramiko reads with a timeout of 0.1 s (200 idle connections cost 9 % of a core),
retries a blocked write for ever, and leaves Nagle's algorithm on (a command on an
open connection takes 48 ms instead of 4). A Wire is handed to it as its socket.
"""

import math
import select
import socket
import time
from contextlib import suppress

# What the kernel does by itself: a peer that is gone is noticed in 30 s, whether
# we wait for it (keepalive) or it owes us an acknowledgement (user timeout, ms).
_OPTIONS = (
    ("SOL_SOCKET", "SO_KEEPALIVE", 1),
    ("IPPROTO_TCP", "TCP_NODELAY", 1),
    ("IPPROTO_TCP", "TCP_KEEPIDLE", 15),
    ("IPPROTO_TCP", "TCP_KEEPINTVL", 5),
    ("IPPROTO_TCP", "TCP_KEEPCNT", 3),
    ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 30_000),
)
# paramiko looks for a due key exchange whenever a read times out.
IDLE = 30.0
STALLED = 30.0
# RFC 4253, 6.1 asks for packets of 35,000 bytes, OpenSSH refuses 256 KiB; paramiko
# would try to read the 4 GiB that a hostile host can announce.
LARGEST_READ = 256 * 1024


class Deadline:
    """A moment on the monotonic clock; every wait on the way asks what is left."""

    __slots__ = ("at",)

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at


class Wire:
    """Looks like a socket to paramiko; one thread reads, one at a time writes."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._ahead = b""
        self._position = 0
        # paramiko asks for this name when it stops its thread.
        self._closed = False
        # Set for the time of one command: a blocked write ends then, not later.
        self.give_up_at = math.inf
        # How many seconds to wait for something to read, if not IDLE.
        self.patience: float | None = None

    @classmethod
    def connect(cls, address: str, port: int, deadline: Deadline) -> "Wire":
        # A timeout of 0 would mean "do not wait" and look like another error.
        sock = socket.create_connection((address, port), max(deadline.left, 0.01))
        for level, option, value in _OPTIONS:
            if hasattr(socket, option):  # not every system has every one
                sock.setsockopt(getattr(socket, level), getattr(socket, option), value)
        return cls(sock)

    def fileno(self) -> int:
        return self._sock.fileno()

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes; paramiko asks twice per packet, we read ahead."""
        if size > LARGEST_READ:
            raise ConnectionAbortedError(f"announced a packet of {size} bytes")
        if self._position == len(self._ahead):
            self._ahead = self._receive()
            self._position = 0
        start = self._position
        data = self._ahead[start : start + size]
        self._position = start + len(data)
        return data

    def record(self, extra: int) -> bytes:
        """Return four bytes of length, as much as they announce, and *extra* bytes.

        Nothing is lost when it raises TimeoutError: the next call goes on. Raises
        EOFError when the host has hung up.
        """
        size = 4
        while True:
            start, end = self._position, self._position + size
            if len(self._ahead) < end:
                more = self._receive()
                if not more:
                    raise EOFError
                self._ahead = self._ahead[start:] + more
                self._position = 0
            elif size > 4:
                self._position = end
                found = self._ahead[start:end]
                if end == len(self._ahead):
                    self._ahead, self._position = b"", 0
                return found
            else:
                size += int.from_bytes(self._ahead[start:end], "big") + extra
                if size > LARGEST_READ:
                    raise ConnectionAbortedError(f"announced a packet of {size} bytes")

    def _receive(self) -> bytes:
        # Nearly always there is nothing more yet: to ask is cheaper than to be refused.
        seconds = IDLE if self.patience is None else self.patience
        while self._readable.poll(seconds * 1000):
            with suppress(BlockingIOError):
                return self._sock.recv(65536)
        raise TimeoutError

    def send(self, data: bytes) -> int:
        give_up_at = min(self.give_up_at, time.monotonic() + STALLED)
        while True:
            try:
                return self._sock.send(data)
            except BlockingIOError:
                left = max(0.0, give_up_at - time.monotonic())
                if not self._becomes_writable(left):
                    # Half a packet may be out: nothing sensible can follow it.
                    self.close()
                    raise ConnectionAbortedError("takes no more data") from None

    def _becomes_writable(self, seconds: float) -> bool:
        writable = select.poll()
        writable.register(self._sock, select.POLLOUT)
        return bool(writable.poll(seconds * 1000))

    def settimeout(self, timeout: float | None) -> None:
        """Ignore paramiko's wish for 0.1 s: see IDLE and `give_up_at`."""

    def close(self) -> None:
        """Hang up, from any thread: whoever reads or writes wakes up at once.

        The descriptor stays until `release`: another thread may be about to use its
        number, and it must not be a stranger's file by then.
        """
        self._closed = True
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was first, or it is closed already

    def release(self) -> None:
        """Give the descriptor back; for the reading thread, when it is done."""
        self.close()
        self._sock.close()
