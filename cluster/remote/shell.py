"""What the rest of the product knows of a remote host: a Shell, and how it fails.

Only paramiko_shell.py, co_shell.py, connection.py and stream.py know how it is done.

    RemoteError                 str() is a sentence for people that names the host
    +-- NothingSent             the host is as it was before: trying again is safe
    |   +-- Unreachable         no route, no answer, closed port, lost beforehand
    |   +-- HostKeyUnknown      no host key was approved yet
    |   +-- HostKeyChanged      another key than the approved one; no login was tried
    |   +-- LoginRefused        user or key not accepted
    +-- OutcomeUnknown          sent, then lost or late: read the facts, then decide
    +-- StreamEnded             a long stream (stream.py) is over

An exit status other than 0 is an answer, not an exception: see `Output.ok`.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn, Protocol, Self

from cluster.lvs.command import Command

HOST_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)


class Secret:
    """Text that shows as ``****`` wherever it is printed, logged or formatted.

    It cannot be pickled, so it can reach neither a task queue nor a cache.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "****"

    def __format__(self, spec: str) -> str:
        return "****"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public host key: ``HostKey("ssh-ed25519", "AAAAC3Nza...")``."""

    type: str
    blob: str

    @classmethod
    def parse(cls, line: str) -> "HostKey":
        """Read ``ssh-ed25519 AAAA... comment``, a line of a ``.pub`` file.

        Raises ValueError with the reason.
        """
        words = line.split(maxsplit=2)
        if len(words) < 2 or words[0] not in HOST_KEY_TYPES:
            raise ValueError("a host key line starts with a type such as ssh-ed25519")
        try:
            raw = base64.b64decode(words[1], validate=True)
        except binascii.Error as error:
            raise ValueError("the second word of a host key is base64") from error
        name = words[0].encode()
        if not raw.startswith(len(name).to_bytes(4, "big") + name):
            raise ValueError(f"the key does not hold what it says: {words[0]}")
        return cls(words[0], words[1])

    @property
    def line(self) -> str:
        return f"{self.type} {self.blob}"

    @property
    def fingerprint(self) -> str:
        """Return ``SHA256:...``, as ``ssh-keygen -l`` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """`private` is OpenSSH PEM text; `public` is a line for authorized_keys."""

    private: Secret
    public: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where and as whom to log in. `host_key` None: not approved yet."""

    name: str
    address: str
    port: int
    user: str
    host_key: HostKey | None
    private_key: Secret

    @property
    def place(self) -> str:
        return f"{self.name} ({self.address} port {self.port})"


@dataclass(frozen=True, slots=True)
class Output:
    """What a command answered; both streams were read to their end.

    `truncated`: one of them was longer than its cap and is cut there. Never parse
    a truncated answer as if it were whole.
    """

    exit_status: int
    stdout: bytes
    stderr: bytes
    seconds: float
    truncated: bool

    @property
    def ok(self) -> bool:
        return self.exit_status == 0

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")


class RemoteError(Exception):
    """Something about `host` did not work; `sentence` says what, for people."""

    def __init__(self, host: str, sentence: str) -> None:
        super().__init__(host, sentence)
        self.host = host
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class NothingSent(RemoteError):
    """The command did not start, and nothing of it reached the host."""


class Unreachable(NothingSent):
    """No SSH connection: no route, no answer, a closed port, or it was lost."""


class HostKeyUnknown(NothingSent):
    """Nobody has approved a host key of this host."""


class HostKeyChanged(NothingSent):
    """The host proved another key than `expected`; no login was tried.

    `found` is None when it has no key of the expected type at all.
    """

    def __init__(
        self, host: str, sentence: str, expected: HostKey, found: HostKey | None
    ) -> None:
        super().__init__(host, sentence)
        self.args = (host, sentence, expected, found)
        self.expected = expected
        self.found = found


class LoginRefused(NothingSent):
    """The host does not let this user in with this key."""


class OutcomeUnknown(RemoteError):
    """The command was sent, and how it ended was not learned."""


class StreamEnded(RemoteError):
    """A long stream ended by itself: its program, its connection or its format."""


class Shell(Protocol):
    """A warm login on one host. Use it from one thread at a time; close it."""

    @property
    def name(self) -> str: ...

    def run(self, command: Command) -> Output:
        """Run `command` and wait for its end; raises RemoteError."""

    def run_all(self, commands: Sequence[Command]) -> list[Output]:
        """Run commands that change nothing, in one round trip; raises RemoteError."""

    def run_in_order(self, commands: Sequence[Command]) -> Iterator[Output]:
        """Run them in one round trip, and yield what each says as soon as it has ended.

        The host goes on by itself, up to the first that fails (`sequence.succeeded`),
        whose answer is the last; then those after it were not tried. Raises NothingSent
        before the first answer, or OutcomeUnknown, when it is not known which of the
        commands without an answer were carried out.
        """

    def close(self) -> None:
        """End the connection. May be called twice, and from another thread."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
