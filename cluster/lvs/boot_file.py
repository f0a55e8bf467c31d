"""The file that brings back after a reboot what was applied to a host.

It is made from the same changes as the plan for that host just booted, and a change of
the plan writes it: so it is shown, undone and compared like everything else.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from textwrap import indent

from cluster.lvs import boot_place, facts
from cluster.lvs.boot_place import BOOT_FILE, BOOT_UNIT, BootPlace
from cluster.lvs.change import Change, Mark, Phase
from cluster.lvs.command import ROOT, Command
from cluster.lvs.words import say as _

_HEAD = f"""\
#!/bin/sh
# Written by Piranha Web: what was applied to {{host}}, so that a reboot brings it back.
# {BOOT_UNIT} starts it as an ordinary user; sudo allows these commands and no
# others. The next change writes it anew.
status=0
run() {{{{
    "$@" && return
    echo "failed: $*" >&2
    status=1
    return 1
}}}}
"""

_FIXED = {line.strip() for line in _HEAD.format(host="").splitlines()}
_FIXED |= {"", "fi", "exit $status"}


def render(
    host: str, changes: Sequence[Change], vips: Iterable[Sequence[Change]]
) -> str:
    """Return the text: *changes* in their order, then each VIP with its own.

    A VIP that another machine has taken over meanwhile is not bound: its check comes
    first, and the rest depends on it.
    """
    parts = [_HEAD.format(host=host)]
    if any(change.phase is Phase.TABLE for change in changes):
        parts.append(
            "# ip_vs is loaded, and its sysctls are there\n"
            f"{_line(facts.RULES.command)} >/dev/null\n"
        )
    parts += [f"{_comment([change])}{_line(change.command)}\n" for change in changes]
    parts += [_if_free(chain) for chain in vips]
    parts.append("exit $status\n")
    return "\n".join(parts)


def _if_free(chain: Sequence[Change]) -> str:
    checks = [change for change in chain if change.phase is Phase.CHECK]
    body = "".join(
        f"{_comment([change])}{_line(change.command)}\n"
        for change in chain
        if change not in checks
    )
    if not checks:
        return body
    condition = " && ".join(_line(change.command) for change in checks)
    return f"{_comment(checks)}if {condition}; then\n{indent(body, '    ')}fi\n"


def _comment(changes: Iterable[Change]) -> str:
    said = (" ".join(str(c.sentences[0]).split()) for c in changes if c.sentences)
    return "".join(f"# {sentence}\n" for sentence in said)


def _line(command: Command) -> str:
    if not command.stdin:
        return f"run {command.line}"
    text = command.stdin.decode()
    return f"run {command.line} <<'{_end_of(text)}'\n{text}{_end_of(text)}"


def _end_of(text: str) -> str:
    """Return a word that ends a here-document and is no line of the text."""
    lines, word = set(text.splitlines()), "END"
    while word in lines:
        word += "_"
    return word


def commands(data: bytes) -> list[Command]:
    """Return the commands of a boot file; raises ValueError for any line that no boot
    file of ours has."""
    found = []
    lines = iter(data.decode().splitlines())
    for line in lines:
        if line.lstrip().startswith("#") or line.strip() in _FIXED:
            continue
        line = line.strip().removeprefix("if ").removesuffix("; then")
        line, here, end = line.removesuffix(" >/dev/null").partition(" <<")
        found += [_command(part) for part in line.split(" && ")]
        if here:
            end = end.strip("'")
            while next(lines, end) != end:
                pass
    return found


def _command(line: str) -> Command:
    words = shlex.split(line)
    # Quoted again it is the same: so no word of it means anything else to a shell.
    if shlex.join(words) != line or words[:3] != ["run", *ROOT]:
        raise ValueError(line)
    return Command(tuple(words[3:]), root=True)


def changes(host: str, place: BootPlace, text: str, *, ours: bool) -> Iterable[Change]:
    """Return what makes *text* the boot file, or takes ours away when it is empty."""
    if text:
        if place.ready and place.digest != boot_place.digest(text):
            yield _write(host, place, text)
    elif ours and place.digest:
        yield _delete(host, place)


def _write(host: str, place: BootPlace, text: str) -> Change:
    return Change(
        host,
        Phase.PERSIST,
        Mark.EDIT if place.digest else Mark.ADD,
        (_("Let a reboot of {host} bring all this back: {file}",
           host=host, file=BOOT_FILE),),
        boot_place.write(BOOT_FILE, text),
        undo=_as_before(place),
    )  # fmt: skip


def _delete(host: str, place: BootPlace) -> Change:
    return Change(
        host,
        Phase.PERSIST,
        Mark.DELETE,
        (_("Let a reboot of {host} bring nothing back: delete {file}",
           host=host, file=BOOT_FILE),),
        boot_place.remove(BOOT_FILE),
        undo=_as_before(place),
    )  # fmt: skip


def _as_before(place: BootPlace) -> Command:
    if not place.digest:
        return boot_place.remove(BOOT_FILE)
    return boot_place.write(BOOT_FILE, place.text)
