"""The file that brings back after a reboot what was applied to a host.

It is made from the same changes as the plan for that host just booted, and a change of
the plan writes it: so it is shown, undone and compared like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import indent

from cluster.lvs import boot_place, facts, script
from cluster.lvs.boot_place import BOOT_FILE, BOOT_UNIT, BootPlace
from cluster.lvs.change import Change, Mark, Phase
from cluster.lvs.command import Command
from cluster.lvs.ipvs_sysctls import VS
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _

_HEAD = f"""\
#!/bin/sh
# Written by Piranha Web: what was applied to {{host}}, so that a reboot brings it back.
# {BOOT_UNIT} starts it as an ordinary user; sudo allows these commands and no
# others. The next change writes it anew.
{{run}}"""


def render(
    host: str, changes: Sequence[Change], vips: Iterable[Sequence[Change]]
) -> str:
    """Return the text: *changes* in their order, then each VIP with its own.

    A VIP that another machine has taken over meanwhile is not bound: its check comes
    first, and the rest depends on it.
    """
    parts = [_HEAD.format(host=host, run=script.RUN)]
    if any(_needs_ip_vs(change) for change in changes):
        parts.append(
            "# ip_vs is loaded, and its sysctls are there\n"
            f"{script.line(facts.RULES.command)} >/dev/null\n"
        )
    parts += [
        f"{script.comment([change])}{script.line(change.command)}\n"
        for change in changes
    ]
    parts += [_if_free(chain) for chain in vips]
    parts.append(script.END)
    return "\n".join(parts)


def _needs_ip_vs(change: Change) -> bool:
    return change.phase is Phase.TABLE or VS in change.command.line


def _if_free(chain: Sequence[Change]) -> str:
    checks = [change for change in chain if change.phase is Phase.CHECK]
    body = "".join(
        f"{script.comment([change])}{script.line(change.command)}\n"
        for change in chain
        if change not in checks
    )
    if not checks:
        return body
    condition = " && ".join(script.line(change.command) for change in checks)
    return f"{script.comment(checks)}if {condition}; then\n{indent(body, '    ')}fi\n"


def changes(host: str, place: BootPlace, text: str, *, ours: bool) -> Iterable[Change]:
    """Return what makes *text* the boot file, or takes ours away when it is empty."""
    if text:
        if place.ready and place.digest != boot_place.digest(text):
            yield _write(host, place, text)
    elif ours and place.digest:
        yield _delete(host, place)


def with_old_text(change: Change, old: str) -> list[Change]:
    """Return a change of the boot file as it is when the text on the host is known: only
    what differs is sent, and that text comes back."""
    place = BootPlace(ready=True, digest=boot_place.digest(old), text=old)
    text = change.command.stdin.decode()
    return list(changes(change.host, place, text, ours=True))


def replaces(change: Change, place: BootPlace) -> bool:
    """Whether this change needs to know the text of the boot file on the host."""
    return change.phase is Phase.PERSIST and bool(place.digest)


def _write(host: str, place: BootPlace, text: str) -> Change:
    sentence = _("Let a reboot of {host} bring all this back: {file}",
                 host=host, file=BOOT_FILE)  # fmt: skip
    mark = Mark.EDIT if place.digest else Mark.ADD
    old = _ours(place.text)
    command = boot_place.write_boot(text, old)
    undo, note = _way_back(place, old, command)
    return Change(host, Phase.PERSIST, mark, (sentence,), command, undo, note)


def _delete(host: str, place: BootPlace) -> Change:
    sentence = _("Let a reboot of {host} bring nothing back: delete {file}",
                 host=host, file=BOOT_FILE)  # fmt: skip
    command = boot_place.remove(BOOT_FILE)
    undo, note = _way_back(place, _ours(place.text), command)
    return Change(host, Phase.PERSIST, Mark.DELETE, (sentence,), command, undo, note)


def _way_back(
    place: BootPlace, old: str, command: Command
) -> tuple[Command, Sentence | None]:
    """Return what leads back to the old text, if that is ours, and a note if not."""
    if old:
        return boot_place.write_back(command, old), None
    by_hand = _("{file} was edited by hand: that text does not come back.",
                file=BOOT_FILE)  # fmt: skip
    return boot_place.remove(BOOT_FILE), by_hand if place.text else None


def _ours(text: str) -> str:
    """What comes from a host is sent back only if it was made here, see script.py."""
    try:
        found = script.read(text.encode())
    except ValueError:
        return ""
    return text if found and all(command.root for command in found) else ""
