"""A run that undoes itself on each host unless it is told to keep: a dead-man timer.

Before its first command a host is given the way back as a script, and systemd a timer
that starts it. So a change that cuts us off from the host is taken back by the host
itself. Whoever takes the script away undoes the run: the timer, by renaming it, or the
dashboard, by deleting it; a file can be taken once, so never both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from cluster.lvs import boot_place, script
from cluster.lvs.change import Change, Mark, Phase
from cluster.lvs.command import Command
from cluster.lvs.host import HostState
from cluster.lvs.lan import announcement_after
from cluster.lvs.plan import Plan
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _

_HEAD = """\
#!/bin/sh
# Written by Piranha Web before run {run} changed {host}: this takes all of it back.
# piranha-return@{run}.timer starts it {seconds} s later, unless somebody said "keep".
# After a reboot only the boot file is left of the run: then it is called with "boot".
"""
_ONLY_BOOT = '[ "$1" != boot ] || exec rm -f "$0"'
_END = 'rm -f "$0"'
FIXED = (_ONLY_BOOT, _END)


def armed(plan: Plan, states: Mapping[str, HostState], run: int, seconds: int) -> Plan:
    """Return the plan with the arming of each host that it changes, where a host is
    prepared for it."""
    arms = tuple(
        _arm(host, [c for c in plan.changes if c.host == host], run, seconds)
        for host in _changed(plan)
        if states[host].boot.ready
    )
    return Plan((*arms, *plan.changes), plan.adds)


def defenceless(plan: Plan, states: Mapping[str, HostState]) -> list[Sentence]:
    """Return a reason for a second look where a host could not return by itself."""
    names = [host for host in _changed(plan) if not states[host].boot.ready]
    text = _(
        "{hosts} cannot return without the dashboard: the units for it are not"
        " installed there.",
        hosts=listed(names),
    )
    return [text] if names else []


def _changed(plan: Plan) -> list[str]:
    return list(dict.fromkeys(c.host for c in plan.changes if c.writes))


def _arm(host: str, changes: Sequence[Change], run: int, seconds: int) -> Change:
    return Change(
        host,
        Phase.ARM,
        Mark.CHECK,
        (
            _(
                "Let {host} take back this run by itself after {seconds} s, unless it"
                " is told to keep it",
                host=host,
                seconds=seconds,
            ),
        ),
        boot_place.arm(run, seconds, way_back(host, changes, run, seconds)),
        undo=boot_place.remove(boot_place.return_file(run)),
    )


def way_back(host: str, changes: Iterable[Change], run: int, seconds: int) -> str:
    """Return the script that undoes these changes, newest first.

    A change that was never carried out has an undo that fails or does nothing.
    """
    back = [*changes][::-1]
    boot = [c for c in back if c.phase is Phase.PERSIST]
    rest = [c for c in back if c.phase is not Phase.PERSIST]
    parts = [_HEAD.format(run=run, host=host, seconds=seconds), script.RUN]
    parts += [_undo(change, change.undo) for change in boot if change.undo]
    parts.append(f"\n{_ONLY_BOOT}\n")
    parts += [_undo(change, change.undo) for change in rest if change.undo]
    parts.append(f"\n{_END}\n{script.END}")
    return "".join(parts)


def _undo(change: Change, undo: Command) -> str:
    text = f"\n# Undo: {script.comment([change])[2:]}{script.line(undo)}\n"
    after = announcement_after(undo, change.host)
    return f"{text}{script.line(after.command)}\n" if after else text


# -- what is armed where ----------------------------------------------------------------


def is_arming(change: Change) -> bool:
    return change.phase is Phase.ARM


def in_force(change: Change, state: HostState) -> bool:
    """Whether the host is armed by this change now."""
    run = _run_of(change.command)
    there = {f"return-{run}.sh", f"piranha-return@{run}.timer"}
    return there <= set(state.boot.returns)


def waits(change: Change, state: HostState) -> bool:
    """Whether the way back is there and nobody has taken it."""
    return f"return-{_run_of(change.command)}.sh" in state.boot.returns


def is_at_work(change: Change, state: HostState) -> bool:
    """Whether the host takes the run back at this moment."""
    return f"returning-{_run_of(change.command)}.sh" in state.boot.returns


def _run_of(command: Command) -> str:
    found = re.search(r"return-(\d+)\.sh", " ".join(command.argv[3:]))
    return found[1] if found else ""
