"""A paramiko connection that trusts one host key and one login key.

Shared by paramiko_shell.py, co_shell.py and stream.py, and like them, packets.py and
together.py it imports paramiko; nothing else does. What is private to paramiko is used
here and in together.py only.
"""

import hashlib
import io
import socket
import threading
from collections.abc import Callable
from typing import Any, ClassVar, cast

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_FAILURE,
    cMSG_CHANNEL_REQUEST,
    cMSG_CHANNEL_WINDOW_ADJUST,
)

from cluster.remote.packets import Packets
from cluster.remote.shell import (
    HostKey,
    HostKeyChanged,
    HostKeyUnknown,
    KeyPair,
    LoginRefused,
    NothingSent,
    RemoteError,
    Secret,
    Target,
    Unreachable,
)
from cluster.remote.together import Together
from cluster.remote.wire import Deadline, Wire

# Encryption with authentication first: half the CPU of ctr and a separate MAC.
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
# No Diffie-Hellman groups: they cost 28 to 86 ms of CPU per login.
KEY_EXCHANGES = (
    "mlkem768x25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
)
# The type of a host key -> the signatures that may prove it (none with SHA-1).
SIGNATURES = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
ANY_SIGNATURE = tuple(name for names in SIGNATURES.values() for name in names)

# Whatever paramiko raises while we call it; `Connection.get_exception` sees to it
# that this is complete.
FAULTS = (paramiko.SSHException, OSError, EOFError)

# The one table: paramiko's and the socket's exceptions -> ours, first match wins.
TRANSLATIONS: tuple[tuple[type[BaseException], type[NothingSent], str], ...] = (
    (paramiko.AuthenticationException, LoginRefused, "does not accept the login"),
    (paramiko.ChannelException, NothingSent, "refused to open a session"),
    (
        paramiko.ssh_exception.IncompatiblePeer,
        Unreachable,
        "offers no encryption that is accepted here",
    ),
    (socket.gaierror, Unreachable, "cannot be found: its name does not resolve"),
    (ConnectionRefusedError, Unreachable, "refused the connection: is sshd running?"),
    (ConnectionResetError, Unreachable, "broke the connection off"),
    (BrokenPipeError, Unreachable, "broke the connection off"),
    (TimeoutError, Unreachable, "did not answer in time"),
    (EOFError, Unreachable, "closed the connection"),
    (OSError, Unreachable, "cannot be reached"),
    (paramiko.SSHException, Unreachable, "does not speak SSH as expected"),
)


def explain(error: BaseException) -> tuple[type[NothingSent], str]:
    """Return our exception for paramiko's `error`, and what the host did."""
    for kind, ours, words in TRANSLATIONS:
        if isinstance(error, kind):
            detail = getattr(error, "strerror", None)
            if kind is paramiko.SSHException:
                detail = str(error)
            return ours, f"{words} ({detail})" if detail else words
    raise TypeError(f"not a fault of a connection: {error!r}")


def not_sent(target: Target, error: BaseException) -> NothingSent:
    ours, words = explain(error)
    return ours(target.name, f"{target.place} {words}.")


class Sink:
    """Take a channel's data in the thread that reads the connection.

    It stands in for the buffer of a paramiko channel: no second thread, no queue.
    `take` gets every chunk and says whether the host may send as much again; `ended`
    is set when there is no more.
    """

    def __init__(
        self,
        connection: "Connection",
        channel: paramiko.Channel,
        take: Callable[[bytes], bool],
        ended: threading.Event | None = None,
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._take = take
        self._owed = 0
        self._ended = ended

    def feed(self, data: bytes) -> None:
        if self._take(data):
            self._owed += len(data)
            if self._owed >= self._connection.default_window_size // 2:
                self.grant()

    def grant(self) -> None:
        """Let the host send as much again as was taken."""
        message = paramiko.Message()
        message.add_byte(cMSG_CHANNEL_WINDOW_ADJUST)
        message.add_int(self._channel.remote_chanid)
        message.add_int(self._owed)
        self._owed = 0
        self._connection.send_soon(message)

    def close(self) -> None:
        """Note the end of the data. paramiko holds the channel's lock: do no more."""
        if self._ended is not None:
            self._ended.set()

    def __len__(self) -> int:
        return 0


class Connection(Together):
    """A Transport that ends when told to, and tells when it has ended.

    `on_end` and `on_channel_end` are called in the reading thread, without locks.
    """

    __slots__ = ("on_channel_end", "refused")
    _preferred_ciphers = CIPHERS
    _preferred_macs = MACS
    # A build of the cryptography package may lack one (mlkem in old ones).
    _preferred_kex = tuple(
        name
        for name in KEY_EXCHANGES
        if name in paramiko.Transport._kex_info  # type: ignore[attr-defined]  # noqa: SLF001
    )
    _preferred_compression = ("none",)

    def __init__(self, wire: Wire, signatures: tuple[str, ...]) -> None:
        super().__init__(wire)
        self.refused: set[int] = set()
        self.on_channel_end: Callable[[paramiko.Channel], None] | None = None
        self.get_security_options().key_types = signatures

    def get_exception(self) -> Exception | None:
        """Return what ended the connection, always as one of FAULTS.

        A hostile host can make paramiko's parser stumble in any way it likes.
        """
        error = super().get_exception()
        if error is None or isinstance(error, FAULTS):
            return error
        return paramiko.SSHException(f"{type(error).__name__}: {error}")

    def send_soon(self, message: paramiko.Message) -> None:
        self._send_user_message(message)

    def hang_up(self) -> None:
        """End everything at once and wait for the reading thread."""
        self.close()
        self.wire.close()
        self.wait_for_end(2.0)

    def stream_to(self, channel: paramiko.Channel, sink: Sink) -> None:
        """Give all data of a channel to a sink, the shortest way that there is."""
        channel.in_buffer = cast(Any, sink)
        number = channel.chanid.to_bytes(4, "big")
        cast(Packets, self.packetizer).sinks[number] = sink.feed

    def request_exec(self, channel: paramiko.Channel, line: str) -> None:
        """Ask for `line` to be run and do not wait for the answer.

        Channel.exec_command waits without a limit, and for a whole round trip before
        the standard input may follow. Afterwards `channel.event` is set when the
        host answered, `channel.event_ready` when it agreed; see `refused`.
        """
        message = paramiko.Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("exec")
        message.add_boolean(True)
        message.add_string(line)
        channel._event_pending()  # type: ignore[attr-defined]  # noqa: SLF001
        self.send_soon(message)

    @staticmethod
    def _note_refused(channel: paramiko.Channel, message: Any) -> None:
        _connection_of(channel).refused.add(channel.chanid)
        channel._request_failed(message)  # type: ignore[attr-defined]  # noqa: SLF001

    @staticmethod
    def _note_closed(channel: paramiko.Channel, message: Any) -> None:
        channel._handle_close(message)  # type: ignore[attr-defined]  # noqa: SLF001
        on_channel_end = _connection_of(channel).on_channel_end
        if on_channel_end is not None:
            on_channel_end(channel)

    _channel_handler_table: ClassVar = {
        **Together._channel_handler_table,  # noqa: SLF001
        MSG_CHANNEL_FAILURE: _note_refused,
        MSG_CHANNEL_CLOSE: _note_closed,
    }


def _connection_of(channel: paramiko.Channel) -> Connection:
    return cast(Connection, channel.transport)


def connect(target: Target, deadline: Deadline) -> Connection:
    """Log in on `target`; the caller hangs up. Raises NothingSent.

    The host key is compared when the key exchange is over and before the first
    message of the login: a wrong host learns neither the user nor the key.
    """
    pinned = target.host_key
    if pinned is None:
        raise HostKeyUnknown(
            target.name, f"The host key of {target.place} was not approved yet."
        )
    key = login_key(target.private_key)
    try:
        connection = _exchange_keys(
            target.address, target.port, SIGNATURES[pinned.type], deadline
        )
    except paramiko.ssh_exception.IncompatiblePeer as error:
        if "host key" in str(error):
            raise _changed(target, pinned, None) from error
        raise not_sent(target, error) from error
    except FAULTS as error:
        raise not_sent(target, error) from error
    try:
        found = _host_key(connection)
        if found != pinned:
            raise _changed(target, pinned, found)
        _log_in(connection, target, key, deadline)
    except RemoteError:
        connection.hang_up()
        raise
    return connection


def fetch_host_key(address: str, port: int, *, timeout: float = 8.0) -> HostKey:
    """Return the key that the host at `address` proves to own; never log in.

    Raises Unreachable. An ed25519 key is asked for first.
    """
    where = Target(address, address, port, "", None, Secret(""))
    try:
        connection = _exchange_keys(address, port, ANY_SIGNATURE, Deadline(timeout))
    except FAULTS as error:
        raise not_sent(where, error) from error
    found = _host_key(connection)
    connection.hang_up()
    return found


def _exchange_keys(
    address: str, port: int, signatures: tuple[str, ...], deadline: Deadline
) -> Connection:
    """Connect and agree on encryption, or raise one of FAULTS."""
    connection = Connection(Wire.connect(address, port, deadline), signatures)
    done = threading.Event()
    connection.start_client(event=done)
    in_time = done.wait(deadline.left)
    if in_time and connection.is_active():
        connection.completion_event = None  # a kilobyte, times all connections
        return connection
    error = connection.get_exception()
    connection.hang_up()
    raise error or (EOFError() if in_time else TimeoutError())


def _host_key(connection: Connection) -> HostKey:
    # Not get_remote_server_key: it raises if the host has hung up since.
    key = cast(paramiko.PKey, connection.host_key)
    return HostKey(key.get_name(), key.get_base64())


def _changed(target: Target, pinned: HostKey, found: HostKey | None) -> HostKeyChanged:
    now = (
        f"it now shows {found.type} {found.fingerprint}"
        if found
        else f"it no longer has a key of the type {pinned.type}"
    )
    return HostKeyChanged(
        target.name,
        f"{target.place} is not the host that was approved: {now}, approved was "
        f"{pinned.type} {pinned.fingerprint}. Nothing was sent.",
        pinned,
        found,
    )


def _log_in(
    connection: Connection, target: Target, key: paramiko.PKey, deadline: Deadline
) -> None:
    connection.auth_timeout = deadline.left
    try:
        more = connection.auth_publickey(target.user, key)
    except FAULTS as fault:
        # paramiko reports a lost connection and lost time as a refused login.
        error: BaseException = fault
        if isinstance(fault, paramiko.AuthenticationException):
            if deadline.passed:
                error = TimeoutError()
            elif not connection.is_active():
                error = EOFError()
        ours, words = explain(error)
        if ours is LoginRefused:
            words = f"refused the login of {target.user} with the key {_print(key)}"
        raise ours(target.name, f"{target.place} {words}.") from fault
    if more:
        raise LoginRefused(
            target.name, f"{target.place} wants more than a key: {', '.join(more)}."
        )


_parsed: dict[bytes, paramiko.PKey] = {}


def login_key(private: Secret) -> paramiko.PKey:
    """Parse an ed25519 key once; raises ValueError, without the text of the key."""
    # No local name for the text: tools that report errors show local variables.
    digest = hashlib.sha256(private.reveal().encode()).digest()
    if digest not in _parsed:
        try:
            key = paramiko.Ed25519Key(file_obj=io.StringIO(private.reveal()))
        except (paramiko.SSHException, ValueError, IndexError):
            raise ValueError("the login key is not an ed25519 private key") from None
        if len(_parsed) > 64:  # keys were rotated: do not keep the old ones for ever
            _parsed.clear()
        _parsed[digest] = key
    return _parsed[digest]


def new_key_pair() -> KeyPair:
    """Make an ed25519 key; the public half has the comment ``piranha``."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return KeyPair(Secret(private.decode()), f"{public.decode()} piranha")


def _print(key: paramiko.PKey) -> str:
    return HostKey(key.get_name(), key.get_base64()).fingerprint
