"""Packets of SSH as they come in, for connections that stream.

paramiko reads a packet in two pieces, makes a message of it, looks up who gets it and
stops a timer, each time: that is two thirds of what a frame costs. With a cipher that
authenticates (RFC 5647, all that an OpenSSH of today needs) a packet is read here in one
piece, and data of a channel with a sink goes straight there.
"""

import socket
from collections.abc import Callable
from typing import Any, cast

import paramiko
from paramiko.common import MSG_CHANNEL_DATA, MSG_IGNORE
from paramiko.packet import NeedRekeyException, Packetizer

from cluster.remote.wire import Wire

TAG = 16
# So many packets are handed on in one go: no host has the thread that others share for
# itself, however fast it sends. The frame of a large director has fewer.
MOST_AT_ONCE = 256
# Where data begins: after the length of the padding, the kind, and four bytes each for
# the channel and the length of the data.
_DATA = 10


class Quiet(BaseException):
    """Nothing has come for a while, on a connection that can do without a thread.

    Not an Exception, which paramiko would take for the end of the connection.
    """


class Packets(Packetizer):
    """Also everything that paramiko's is: it sends, and reads during the first exchange.

    *sinks* has what takes the data of a channel, by its number as four bytes.
    """

    def __init__(self, wire: Wire) -> None:
        super().__init__(cast(socket.socket, wire))
        self._wire = wire
        self._engine: Any = None
        self._fixed, self._counter = b"", 0
        self._number = 0
        self._bytes = self._packets = 0
        self._shared = self._interrupted = False
        self.sinks: dict[bytes, Callable[[bytes], object]] = {}

    def set_inbound_cipher(self, block_engine: Any, *words: Any, **more: Any) -> None:
        super().set_inbound_cipher(block_engine, *words, **more)
        self._engine = block_engine if more.get("aead") else None
        iv = more.get("iv_in") or b""
        self._fixed, self._counter = iv[:4], int.from_bytes(iv[4:], "big")
        self._bytes = self._packets = 0

    def start_handshake(self, timeout: float) -> None:
        """Start no timer, a thread each: who logs in waits with a deadline anyway."""

    def share(self) -> bool:
        """Raise Quiet from now on; return whether that is possible."""
        self._shared = self._engine is not None
        return self._shared

    def interrupt(self) -> None:
        """Return from ``read_message`` after the sink that calls this."""
        self._interrupted = True

    def read_message(self) -> tuple[int, paramiko.Message]:
        """Return the next message that is not for a sink: its kind, and the rest.

        Also, after so many packets for sinks, one that may be ignored.
        Raises what paramiko's does: SSHException, EOFError, OSError, NeedRekeyException;
        and Quiet.
        """
        if self._engine is None:
            return super().read_message()
        record, decrypt, sinks = self._record, self._engine.decrypt, self.sinks
        for _ in range(MOST_AT_ONCE):
            packet = record()
            nonce = self._fixed + self._counter.to_bytes(8, "big")
            plain: bytes = decrypt(nonce, packet[4:], packet[:4])
            self._counter = (self._counter + 1) % 2**64
            self._number = (self._number + 1) % 2**32
            self._note_size(len(plain))
            end = len(plain) - plain[0]
            sink = sinks.get(plain[2:6]) if plain[1] == MSG_CHANNEL_DATA else None
            if sink is None:
                message = paramiko.Message(plain[2:end])
                message.seqno = self._number
                return plain[1], message
            sink(plain[_DATA:end])
            # Until the next frame comes: two seconds, times all directors.
            del packet, plain
            if self._interrupted or self.need_rekey():
                # Who called us sees to that before it reads on.
                self._interrupted = False
                break
        return MSG_IGNORE, paramiko.Message()

    def _record(self) -> bytes:
        while True:
            try:
                return self._wire.record(TAG)
            except TimeoutError:
                if self.closed:
                    raise EOFError from None
                if self.need_rekey():
                    raise NeedRekeyException from None
                if self._shared:
                    raise Quiet from None

    def _note_size(self, size: int) -> None:
        """Ask for new keys after so much, and end when the host does not want them."""
        self._bytes += size
        self._packets += 1
        if self._bytes < self.REKEY_BYTES and self._packets < self.REKEY_PACKETS:
            return
        if not self.need_rekey():
            self._trigger_rekey()  # type: ignore[attr-defined]
        elif (
            self._bytes >= self.REKEY_BYTES + self.REKEY_BYTES_OVERFLOW_MAX
            or self._packets >= self.REKEY_PACKETS + self.REKEY_PACKETS_OVERFLOW_MAX
        ):
            raise paramiko.SSHException("the host ignores requests for new keys")
