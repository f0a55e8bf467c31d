"""Drains as commands begin them, watch them and judge them."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from rich.progress import BarColumn, Progress, TextColumn

from cluster import draft
from cluster.control import draining
from cluster.lvs.drain import State
from cluster.lvs.table import IPAddress, ServiceAddress
from cluster.management import attendance
from cluster.management.base import Answer, Stopped
from cluster.management.output import TONES, Exit, Output, spoken
from cluster.models import Cluster, Drain, Host
from cluster.remote.shell import Shell
from cluster.states import state_of
from cluster.views.drain_page import ShownDrain

LOOK_SECONDS = 1.0
_UNITS = {"s": 1, "m": 60, "h": 3600}
# A person decides; nothing goes on by itself.
UNDECIDED = (State.OVERDUE, State.PAUSED)


def duration(text: str) -> timedelta:
    """Read ``90s``, ``10m`` or ``1h``."""
    found = re.fullmatch(r"(\d{1,6})([smh])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text}: write 90s, 10m or 1h")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def percent(text: str) -> int:
    if not text.isdecimal() or int(text) > 100:
        raise argparse.ArgumentTypeError(f"{text}: write 0 to 100")
    return int(text)


def address_of(cluster: Cluster, word: str) -> IPAddress:
    """Return the address of a real server from its name or address."""
    applied = draft.applied_table(cluster)
    known = {s.address for v in applied.services for s in v.servers}
    names = draft.names(cluster)
    for address in known:
        if word in (str(address), names.get(address)):
            return address
    text = _("No real server “%(name)s” is in what was applied. There are: %(names)s.")
    found = ", ".join(sorted(names.get(a, str(a)) for a in known)) or "-"
    raise Stopped(Exit.ERROR, text % {"name": word, "names": found})


def services_of(cluster: Cluster, words: list[str]) -> list[ServiceAddress]:
    """Return the services that are meant: ``10.0.1.31:80`` or ``tcp 10.0.1.31:80``."""
    known = {str(s.at): s.at for s in draft.applied_table(cluster).services}
    found = []
    for word in words:
        same = [
            at
            for text, at in known.items()
            if word.upper() in (text.upper(), text.upper().partition(" ")[2])
        ]
        if len(same) != 1:
            text = _("“%(word)s” is not one of: %(names)s.")
            values = {"word": word, "names": ", ".join(known) or "-"}
            raise Stopped(Exit.ERROR, text % values)
        found += same
    return found


def connect(host: Host) -> Shell:
    return attendance.connect(host)


def follow(drain: Drain, over: Callable[[State], bool], output: Output) -> Drain:
    """Move the drain on beside the workers until *over*, and tell what happens."""
    told = 0
    with _showing(output) as show:
        while True:
            draining.advance(drain.pk, connect)
            drain = Drain.objects.select_related("cluster", "run").get(pk=drain.pk)
            for at, sentence in drain.account_lines[told:]:
                output.line(f"{at.astimezone():%H:%M:%S} {spoken(sentence)}")
            told = len(drain.account_lines)
            show(ShownDrain.of(drain))
            if over(State(drain.state)) or drain.is_final:
                return drain
            time.sleep(LOOK_SECONDS)


@contextmanager
def _showing(output: Output) -> Iterator[Callable[[ShownDrain], None]]:
    """On a terminal, a bar: connections that have ended, time to the deadline."""
    if not output.is_terminal:
        yield lambda shown: None
        return
    columns = (BarColumn(20), TextColumn("{task.description}"))
    with Progress(*columns, console=output.console, transient=True) as bar:
        task = bar.add_task("", total=1)

        def show(shown: ShownDrain) -> None:
            bar.update(
                task,
                total=shown.most if shown.counts else shown.row.stairs,
                completed=shown.gone if shown.counts else shown.row.level,
                description=_line(shown),
            )

        yield show


def _line(shown: ShownDrain) -> str:
    parts = [str(shown.row.get_state_display())]
    if shown.counts:
        left = _("%(n)d left") % {"n": shown.total}
        parts.append(left if shown.known else _("who is left is not known"))
    if shown.remaining is not None:
        parts.append(_("%(n)d s to the deadline") % {"n": int(shown.remaining)})
    return " · ".join(parts)


def answer_for(drain: Drain, output: Output) -> Answer:
    """Return the exit code for where the drain is now, and its document."""
    state = state_of(drain.state)
    style = f"bold {TONES.get(state.tone, '')}".strip()
    output.line(f"{drain}: {drain.get_state_display()}", style)
    if drain.why_sentence:
        output.line("  " + spoken(drain.why_sentence))
    undecided = State(drain.state) in UNDECIDED
    code = Exit.UNCONFIRMED if undecided else Exit.DONE
    return Answer(code, data={"drain": document(drain)})


def document(drain: Drain) -> dict[str, Any]:
    """Return the drain as docs/files.md describes it."""

    def moment(at: Any) -> str | None:
        return at.isoformat() if at else None

    return {
        "number": drain.pk,
        "server": drain.name,
        "address": drain.address,
        "state": drain.state,
        "why": str(drain.why_sentence) if drain.why_sentence else None,
        "started_at": moment(drain.started_at),
        "deadline": moment(drain.deadline),
        "floor": drain.floor,
        "run": drain.run_id,
        "services": [
            {
                "service": line.at,
                "weight": line.weights,
                "active": line.active,
                "templates": line.templates,
            }
            for line in ShownDrain.of(drain).lines
        ],
        "account": [str(sentence) for _at, sentence in drain.account_lines],
    }
