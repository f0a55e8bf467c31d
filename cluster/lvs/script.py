"""Commands as a shell script that runs on a host as our own user, and back again.

What is read back has to be spelled exactly as it is written here, so that no word of it
means anything else to a shell: a script is sent only if all of it is ours.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from cluster.lvs.change import Change
from cluster.lvs.command import ROOT, Command

# Goes on after a failure, and remembers it: half of the state is better than none.
RUN = """\
status=0
run() {
    "$@" && return
    echo "failed: $*" >&2
    status=1
    return 1
}
"""
END = "exit $status\n"
# A line of a table, or the end of one: to a shell it is a program that is nowhere.
_OF_A_TABLE = re.compile(r"-[A-Za-z]( [A-Za-z0-9.:,/_\[\]-]+)+|END_*")
# Lines without a command of ours; lines of older versions stay, to be known again.
FIXED = {line.strip() for line in RUN.splitlines()} | {END.strip(), "fi", ""}


def comment(changes: Iterable[Change]) -> str:
    said = (" ".join(str(c.sentences[0]).split()) for c in changes if c.sentences)
    return "".join(f"# {sentence}\n" for sentence in said)


def line(command: Command) -> str:
    """Return the call of a command, with its input as a here-document."""
    if not command.stdin:
        return f"run {command.line}"
    return f"run {command.line} {here_document(command.stdin.decode())}"


def here_document(text: str) -> str:
    """Return the text, whole lines, as the input of the call that stands before it.

    No shell looks into it, and the word that ends it is no line of the text.
    """
    lines, word = f"\n{text}", "END"
    while f"\n{word}\n" in lines:
        word += "_"
    return f"<<'{word}'\n{text}{word}"


def read(data: bytes, fixed: Iterable[str] = ()) -> list[Command]:
    """Return the commands of a script; raises ValueError for any line that no script
    of ours has. *fixed* are more lines without a command."""
    found, known = [], FIXED | set(fixed)
    lines = iter(data.decode().splitlines())
    for text in lines:
        bare = text.strip()
        if bare.startswith("#") or bare in known:
            continue
        call = bare.removeprefix("if ").removesuffix("; then")
        call, here, end = call.removesuffix(" >/dev/null").partition(" <<")
        if here and end != f"'{end[1:-1]}'":
            raise ValueError(text)
        document = _document(lines, end[1:-1]) if here else ""
        found += [_command(part, document) for part in call.split(" && run ")]
    return found


def read_lines(lines: Iterable[str]) -> list[Command]:
    """Return the commands of lines that are put into a script of ours, here and there:
    each of them is one of ours by itself, wherever it comes to stand. Else ValueError."""
    found = []
    for text in lines:
        found += [] if _OF_A_TABLE.fullmatch(text) else read(text.encode())
    return found


def _document(lines: Iterable[str], end: str) -> str:
    text = []
    for one in lines:
        if one == end:
            break
        text.append(f"{one}\n")
    return "".join(text)


def _command(call: str, document: str) -> Command:
    words = shlex.split(call.removeprefix("run "))
    root = tuple(words[:2]) == ROOT
    command = Command(tuple(words[2:] if root else words), document.encode(), root=root)
    if command.line != call.removeprefix("run "):
        raise ValueError(call)
    return command
