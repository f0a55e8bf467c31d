"""A command for a host as a value: its words, its standard input, its deadline.

A remote command always passes through the login shell of the user (sshd gives it
to ``sh -c``), so the words are quoted here, once, and nowhere else.
"""

import shlex
from dataclasses import dataclass, field

ROOT = ("sudo", "-n")
DEADLINE = 10.0  # seconds, for a command that does not say


@dataclass(frozen=True, slots=True)
class Command:
    """One program call; `deadline` is in seconds and covers everything.

    Whatever a person typed belongs into `stdin`, or into `argv` as a whole word. What
    `reads` changes nothing on the host, so that it may be run twice.
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    root: bool = False
    deadline: float = DEADLINE
    reads: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if not self.argv:
            raise ValueError("a command needs at least one word")
        for word in self.argv:
            _check_word(word)
        if not self.deadline > 0:
            raise ValueError(f"a deadline lies ahead, not {self.deadline!r} seconds")

    @property
    def words(self) -> tuple[str, ...]:
        return (*ROOT, *self.argv) if self.root else self.argv

    @property
    def line(self) -> str:
        """Return the words quoted for a shell: ``sudo -n ipvsadm -Sn``."""
        return shlex.join(self.words)

    @property
    def shown(self) -> str:
        """Return the command as people type it: without sudo, its input beneath.

        ``ipvsadm -R <<`` and then a rule a line.
        """
        text = shlex.join(self.argv)
        if not self.stdin:
            return text
        return f"{text} <<\n{self.stdin.decode('utf-8', 'replace').rstrip()}"


def _check_word(word: str) -> None:
    if not isinstance(word, str):
        raise TypeError(f"a word of a command is text, not {type(word).__name__}")
    if not word:
        raise ValueError("a word of a command is not empty")
    # A newline could be quoted, but no tool of ours takes one, and every log and
    # sudo's own journal would show two lines where there was one command.
    if "\0" in word or "\n" in word:
        raise ValueError(f"a word of a command has a NUL or a newline: {word!r}")
    word.encode()  # a lone surrogate cannot be sent: UnicodeEncodeError (ValueError)
