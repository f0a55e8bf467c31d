"""Connections that need no thread of their own while they only bring data.

A thread costs 25 KB, and one for each of 800 streams wakes up with cold caches. So a
connection that was quiet for a moment leaves its thread and is read in rounds.py. There
it only hands data to its sinks. For anything else (to answer the host, new keys, the end)
it gets a thread again: only there it may block, and a host that does not take what
is sent to it holds up nobody but itself.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, cast

import paramiko
from paramiko.common import (
    MSG_CHANNEL_OPEN,
    MSG_CHANNEL_OPEN_FAILURE,
    MSG_CHANNEL_OPEN_SUCCESS,
    MSG_DEBUG,
    MSG_DISCONNECT,
    MSG_EXT_INFO,
    MSG_GLOBAL_REQUEST,
    MSG_IGNORE,
    MSG_KEXINIT,
    MSG_NEWKEYS,
    MSG_REQUEST_FAILURE,
    MSG_REQUEST_SUCCESS,
    MSG_UNIMPLEMENTED,
    cMSG_UNIMPLEMENTED,
)
from paramiko.packet import NeedRekeyException
from paramiko.transport import _active_threads  # type: ignore[attr-defined]

from cluster.remote.packets import Packets, Quiet
from cluster.remote.rounds import ROUNDS, Work
from cluster.remote.wire import Wire

log = logging.getLogger(__name__)

# After so many seconds without a packet the thread is given up.
QUIET = 0.5
_KEY_EXCHANGE = range(30, 42)
# The methods of paramiko's table of each connection: here it is one for all.
HANDLERS = {
    MSG_EXT_INFO: "_parse_ext_info",
    MSG_NEWKEYS: "_parse_newkeys",
    MSG_GLOBAL_REQUEST: "_parse_global_request",
    MSG_REQUEST_SUCCESS: "_parse_request_success",
    MSG_REQUEST_FAILURE: "_parse_request_failure",
    MSG_CHANNEL_OPEN_SUCCESS: "_parse_channel_open_success",
    MSG_CHANNEL_OPEN_FAILURE: "_parse_channel_open_failure",
    MSG_CHANNEL_OPEN: "_parse_channel_open",
    MSG_KEXINIT: "_negotiate_keys",
}
News = tuple[int, paramiko.Message]


class Together(paramiko.Transport):
    """A Transport whose thread may end before the connection does."""

    # Beside its 78 others: a dictionary doubles above 85, to 3 KB.
    __slots__ = ("_held_back", "_reader", "_reading", "on_end", "wire")
    _channel_handler_table: ClassVar[
        dict[int, Callable[[paramiko.Channel, Any], object]]
    ]
    _expected_packet: tuple[int, ...]

    def __init__(self, wire: Wire) -> None:
        super().__init__(cast(Any, wire), packetizer_class=Packets)
        self.wire = wire
        self.on_end: Callable[[], None] | None = None
        self._held_back: list[Any] = []
        # The thread that reads now; the lock is held as long as there will be one.
        self._reader = 0
        self._reading = threading.Lock()
        self._reading.acquire()

    @property
    def is_read_here(self) -> bool:
        return threading.get_ident() == self._reader

    def share(self) -> None:
        """Do without a thread from now on, as often as that is possible."""
        if cast(Packets, self.packetizer).share():
            self.wire.patience = QUIET

    def wait_for_end(self, timeout: float) -> None:
        if not self.is_read_here and self._reading.acquire(timeout=timeout):
            self._reading.release()

    def run(self) -> None:
        self._read(self._log_in_and_read)

    def _log_in_and_read(self) -> None:
        try:
            super().run()
        except Quiet:
            _active_threads.remove(self)
            raise

    def _read(self, work: Work) -> None:
        """Do *work* in this thread, until the end or until nothing comes for a while."""
        self._reader = threading.get_ident()
        try:
            work()
        except Quiet:
            self._forget_login()
            self._reader, self.wire.patience = 0, 0.0
            ROUNDS.add(self.wire.fileno(), self._look)
        except BaseException:
            self._finish()
            raise
        else:
            self._finish()

    def _forget_login(self) -> None:
        """Drop what nobody asks for any more: 8 KB, times all directors."""
        self.auth_handler = self.host_key = None
        self.server_extensions.clear()  # type: ignore[attr-defined]
        self._latest_kex_init = b""
        self._handler_table: dict[int, str] = {}
        channels = self._channels.values()  # type: ignore[attr-defined]
        _lighten(self.server_accept_cv)
        _lighten(*[channel.out_buffer_cv for channel in channels])
        events = [self._started, self.clear_to_send]  # type: ignore[attr-defined]
        for channel in channels:
            events += channel.event, channel.status_event
        _lighten(*[event._cond for event in events])  # noqa: SLF001

    def _finish(self) -> None:
        self.wire.release()
        try:
            if self.on_end is not None:
                self.on_end()
        finally:
            self._reading.release()

    def _look(self) -> Work | None:
        """Hand on the data that has come; return how to go on if that was not all."""
        self._reader = threading.get_ident()
        news: News | None = None
        fault: Exception | None = None
        try:
            news = self.packetizer.read_message()
        except Quiet:
            if not self._held_back:
                return None
        except Exception as error:  # is raised again where it ends the connection
            fault = error
        return partial(self._read, partial(self._go_on, news, fault))

    def _go_on(self, news: News | None, fault: Exception | None) -> None:
        """Do what ``Transport.run`` does after the login, in this thread."""
        self.wire.patience = QUIET
        try:
            self._read_and_obey(news, fault)
        except Exception as error:
            if not isinstance(error, EOFError | OSError):
                log.exception("A connection has failed.")
            self.saved_exception = error
        self.close()

    def _read_and_obey(self, news: News | None, fault: Exception | None) -> None:
        if fault is not None and not isinstance(fault, NeedRekeyException):
            raise fault
        self.send_held_back()
        while self.is_active():
            if news is not None and not self._obey(*news):
                return
            news = self._next()

    def _next(self) -> News | None:
        if self.packetizer.need_rekey() and not self.in_kex:
            self._send_kex_init()  # type: ignore[attr-defined]
        try:
            return self.packetizer.read_message()
        except NeedRekeyException:
            return None

    def _obey(self, kind: int, message: paramiko.Message) -> bool:
        """Do what the host wants; False when it wants to end."""
        if kind in (MSG_IGNORE, MSG_DEBUG):
            return True
        if kind == MSG_DISCONNECT:
            self._parse_disconnect(message)  # type: ignore[attr-defined]
            return False
        expected, self._expected_packet = self._expected_packet, ()
        if expected and kind not in expected:
            raise paramiko.SSHException(f"sent {kind} while keys are exchanged")
        if expected and kind in _KEY_EXCHANGE:
            cast(Any, self.kex_engine).parse_next(kind, message)
        elif kind in HANDLERS:
            getattr(self, HANDLERS[kind])(message)
        elif kind in self._channel_handler_table:
            return self._obey_on_channel(kind, message)
        elif kind != MSG_UNIMPLEMENTED:
            self._refuse(message)
        return True

    def _refuse(self, message: paramiko.Message) -> None:
        answer = paramiko.Message()
        answer.add_byte(cMSG_UNIMPLEMENTED)
        answer.add_int(message.seqno)
        self._send_message(answer)  # type: ignore[attr-defined]

    def _obey_on_channel(self, kind: int, message: paramiko.Message) -> bool:
        number = message.get_int()
        channel = self._channels.get(number)  # type: ignore[attr-defined]
        if channel is not None:
            self._channel_handler_table[kind](channel, message)
        return channel is not None or number in self.channels_seen

    def _send_user_message(self, data: Any) -> None:
        """Send `data`, later if that has to wait in the thread that reads.

        paramiko waits for the end of a key exchange in the very thread that has to
        finish it: a connection that a channel is closed on meanwhile is lost.
        """
        in_round = self.wire.patience == 0
        if self.is_read_here and (in_round or not self.clear_to_send.is_set()):
            self._held_back.append(data)
            cast(Packets, self.packetizer).interrupt()
        else:
            super()._send_user_message(data)  # type: ignore[misc]

    def send_held_back(self) -> None:
        held_back, self._held_back = self._held_back, []
        for data in held_back:
            self._send_user_message(data)

    def _parse_newkeys(self, message: Any) -> None:
        super()._parse_newkeys(message)  # type: ignore[misc]
        self.send_held_back()


def _lighten(*conditions: Any) -> None:
    """Let whoever will wait for a condition do so in a list.

    threading has a deque for that: 700 bytes each while it is empty.
    """
    for condition in conditions:
        with condition:
            if not condition._waiters:  # noqa: SLF001
                condition._waiters = []  # noqa: SLF001
