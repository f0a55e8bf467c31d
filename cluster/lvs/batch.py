"""Many questions in one round trip: a script for ``sh -s``, and its answers apart again.

A channel of its own costs each command a round trip, and its host a process of sshd
and a shell. Only for commands that change nothing: which of them ran is not known
when the connection is lost on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

from cluster.lvs.command import Command

MARK = b"\x1e"  # ASCII "record separator": no answer of ours has one
LONGEST = 60.0


class Garbled(ValueError):
    """The answers cannot be told apart: the script did not run to its end."""


def batch(commands: Sequence[Command]) -> Command:
    """Return one command that runs all of *commands*, one after the other.

    There is at least one. Each may fail by itself. Its exit status follows its output: ``...\\x1e0\\x1e``.
    """
    if any(command.stdin for command in commands):
        raise ValueError("a command in a batch has no standard input")
    # What reads its input must not read the script.
    lines = (
        f"{command.line} </dev/null; printf '\\036%d\\036' $?; printf '\\036' >&2\n"
        for command in commands
    )
    deadline = min(LONGEST, sum(command.deadline for command in commands))
    return Command(("sh", "-s"), "".join(lines).encode(), deadline=deadline)


def split(count: int, stdout: bytes, stderr: bytes) -> list[tuple[int, bytes, bytes]]:
    """Return exit status and both streams of each command; raises Garbled.

    >>> split(1, b"hello\\n\\x1e0\\x1e", b"\\x1e")
    [(0, b'hello\\n', b'')]
    """
    parts, complaints = stdout.split(MARK), stderr.split(MARK)
    if len(parts) != 2 * count + 1 or len(complaints) != count + 1:
        raise Garbled(f"{count} answers were expected")
    statuses = parts[1::2]
    if not all(status.isdigit() for status in statuses):
        raise Garbled("an exit status is no number")
    return [
        (int(status), parts[2 * n], complaints[n]) for n, status in enumerate(statuses)
    ]
