"""Commands of one host in one round trip: one after the other, up to the first that fails.

They go as one script for ``sh -s``, and what each of them said comes back as soon as it
has ended. The whole script is one compound command: one that was cut off on its way is
not carried out at all. ``timeout`` ends it on the host, so that none of its commands
can begin once we have given it up; and it stops when nobody is left to hear of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cluster.lvs.batch import MARK, Garbled
from cluster.lvs.command import DEADLINE, Command
from cluster.lvs.script import here_document

# In seconds. What we add to the time that the host gives: the way there and back.
MARGIN = 2.0
# What one command is expected to take at most on a slow host; one of them may be stuck
# for a whole DEADLINE.
QUICK = 1.5
ON_THE_LAN = 4.0  # arping waits for answers
# A lease has to outlast a sequence, and a run whose worker died waits for its end.
LONGEST = 20.0
# bash reads a script from a pipe byte by byte: a large table goes by itself.
LARGE = 64 * 1024
OUTPUT_CAP = 64 * 1024

_HEAD = """\
{
exec 3>&1
run() {
    may_complain=$1
    shift
    said=$("$@" 2>&1 >&3 3>&-)
    status=$?
    printf '\\036%s\\036%d\\036' "$said" "$status" || exit
    [ "$status" = 0 ] || exit 0
    [ -z "$said" ] || [ "$may_complain" = yes ] || exit 0
}
"""
_END = "exit 0\n}\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command said; *truncated*: more than is kept."""

    exit_status: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


def succeeded(command: Command, exit_status: int, stderr: bytes) -> bool:
    """``ipvsadm -R`` ends with 0 though the kernel refused a rule; then it complains
    on stderr (ipvsadm 1.31), so silence is asked for as well."""
    return exit_status == 0 and (_may_complain(command) or not stderr.strip(b"\n"))


def _may_complain(command: Command) -> bool:
    return command.argv[0] != "ipvsadm"


def time_for(commands: Sequence[Command]) -> float:
    """Return the seconds that the host gives to these commands together."""
    return DEADLINE + sum(_expected(command) for command in commands)


def _expected(command: Command) -> float:
    usual = ON_THE_LAN if command.argv[0] == "arping" else QUICK
    return usual + command.deadline - DEADLINE


def count_together(commands: Sequence[Command], seconds: float = LONGEST) -> int:
    """Return how many of these, from the first on, go in one round trip; at least 1."""
    count = 0
    for count in range(1, len(commands) + 1):
        some = commands[:count]
        late = time_for(some) > min(seconds, LONGEST)
        large = sum(len(command.stdin) for command in some) > LARGE
        if late or large or not all(_is_plain(command) for command in some):
            break
    else:
        count += 1
    return max(1, count - 1)


def _is_plain(command: Command) -> bool:
    """Whether it can stand in a script. dash keeps bytes from 0x81 on for itself, and
    changes some of them in a here-document (0.5.12)."""
    data = command.stdin
    whole_lines = not data or data.endswith(b"\n")
    return (
        whole_lines
        and b"\0" not in data
        and data.isascii()
        and (command.line.isascii())
    )


def deadline_of(commands: Sequence[Command]) -> float:
    """Return the seconds after which they are given up here."""
    if len(commands) == 1:
        return commands[0].deadline
    return math.ceil(time_for(commands)) + MARGIN


def sequence(commands: Sequence[Command]) -> Command:
    """Return the one command that runs all of these; there are at least two."""
    lines = "".join(_line(command) for command in commands)
    argv = ("timeout", str(math.ceil(time_for(commands))), "sh", "-s")
    text = f"{_HEAD}{lines}{_END}"
    return Command(argv, text.encode(), deadline=deadline_of(commands))


def _line(command: Command) -> str:
    flag = "yes" if _may_complain(command) else "no"
    call = f"run {flag} {command.line}"
    if not command.stdin:
        return f"{call} </dev/null\n"  # what reads must not read the script
    return f"{call} {here_document(command.stdin.decode())}\n"


class Reader:
    """Takes the output of a sequence as it comes, and tells answers apart.

    Each is ``output RS complaints RS status RS``.
    """

    def __init__(self, commands: Sequence[Command]) -> None:
        self._left = list(commands)
        self._parts: list[bytes] = []
        self._part = bytearray()
        self._truncated = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come: the last one has answered, or one failed."""
        return not self._left

    @property
    def shown(self) -> str:
        """Return the commands without an answer, as they are sent."""
        return "; ".join(command.line for command in self._left)

    def feed(self, data: bytes) -> list[Answer]:
        """Return the answers that are whole now; raises Garbled."""
        answers = []
        *ended, rest = data.split(MARK)
        for piece in ended:
            self._keep(piece)
            self._parts.append(bytes(self._part))
            self._part.clear()
            if len(self._parts) == 3:
                answers.append(self._answer())
        self._keep(rest)
        return answers

    def _keep(self, data: bytes) -> None:
        if data and self.is_over:
            raise Garbled("more was said than was asked")
        room = OUTPUT_CAP - len(self._part)
        self._truncated |= len(data) > room
        self._part += data[:room]

    def _answer(self) -> Answer:
        if self.is_over:
            raise Garbled("more was answered than was asked")
        (stdout, stderr, status), self._parts = self._parts, []
        if not (status.isdigit() and len(status) <= 3):
            raise Garbled("an exit status is no number")
        answer = Answer(int(status), stdout, stderr, self._truncated)
        self._truncated = False
        command = self._left.pop(0)
        if not succeeded(command, answer.exit_status, answer.stderr):
            self._left.clear()
        return answer
