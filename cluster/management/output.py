"""What a command prints: one JSON document, or text that is coloured on a terminal."""

from __future__ import annotations

import json
import re
import sys
from enum import IntEnum
from typing import Any

from django.core.management.base import OutputWrapper
from django.utils.translation import gettext
from rich.console import Console
from rich.text import Text

from cluster.lvs.change import Change, Mark
from cluster.lvs.command import Command
from cluster.lvs.words import Sentence
from cluster.models import Run, Step
from cluster.states import state_of
from cluster.templatetags.ui import as_shell
from cluster.views.run_page import ShownStep, by_host

FORMAT = 1
SIGNS = {Mark.ADD: "+", Mark.EDIT: "~", Mark.DELETE: "-", Mark.CHECK: "?"}
STYLES = {Mark.ADD: "green", Mark.EDIT: "yellow", Mark.DELETE: "red", Mark.CHECK: ""}
TONES = {"up": "green", "bad": "red", "warn": "yellow"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Exit(IntEnum):
    """How a command ended; docs/files.md explains each."""

    DONE = 0
    ERROR = 1
    CHANGES = 2
    PARTIAL = 3
    REFUSED = 4
    UNCONFIRMED = 5

    @property
    def outcome(self) -> str:
        return self.name.lower()


def printable(text: str) -> str:
    """Return the text without what would steer a terminal: hosts wrote parts of it."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def spoken(sentence: Sentence) -> str:
    return printable(sentence.translated(gettext))


class Output:
    """Text for people, or silence until the one document at the end.

    Notes go to stderr in both cases.
    """

    def __init__(
        self, stdout: OutputWrapper, stderr: OutputWrapper, *, as_json: bool
    ) -> None:
        self.as_json, self._stdout, self._stderr = as_json, stdout, stderr
        stdout.ending = ""  # rich ends its own lines
        self.console = Console(
            file=stdout,  # type: ignore[arg-type]
            highlight=False,
            quiet=as_json,
        )

    @property
    def is_terminal(self) -> bool:
        return self.console.is_terminal and not self.as_json

    def line(self, text: str = "", style: str = "") -> None:
        self.console.print(Text(printable(text), style=style), soft_wrap=True)

    def ask(self, question: str) -> str:
        """Return one line that is typed; empty when there is nobody to type."""
        if not sys.stdin.isatty():
            return ""
        self.console.print(Text(printable(question)), end="")
        return sys.stdin.readline().strip()

    def note(self, text: str) -> None:
        self._stderr.write(printable(text))

    def document(self, data: dict[str, Any]) -> None:
        text = json.dumps(data, indent=2, ensure_ascii=False)
        self._stdout.write(text + "\n")


# -- a plan as text -------------------------------------------------------------------


def show_plan(output: Output, run: Run) -> None:
    """Print cautions, and per host sentences, exact commands and their undo."""
    steps = [ShownStep(row, row.value) for row in _rows(run)]
    if steps:
        title = gettext("Plan %(run)s for %(cluster)s (%(hash)s): %(count)s commands")
        values = {
            "run": run,
            "cluster": run.cluster,
            "hash": run.plan_hash[:8],
            "count": len(steps),
        }
        output.line(title % values, "bold")
    for caution in run.caution_sentences:
        output.line("! " + spoken(caution), "bold yellow")
    for group in by_host(steps):
        output.line()
        where = gettext("%(host)s, steps %(steps)s")
        output.line(where % {"host": group.host, "steps": group.numbers}, "bold")
        for step in group.steps:
            _show_step(output, step.row.position, step.change)


def _show_step(output: Output, position: int, change: Change) -> None:
    first, *more = [spoken(sentence) for sentence in change.sentences]
    sign, style = SIGNS[change.mark], STYLES[change.mark]
    output.line(f"  {position:>3} {sign} {first}", style)
    for sentence in more:
        output.line(f"        {sentence}", style)
    output.line(_indented("$ ", as_shell(change.command)))
    if change.undo:
        output.line(_indented(gettext("undo: "), as_shell(change.undo)), "dim")
    elif change.undo_note:
        output.line(_indented("", spoken(change.undo_note)), "dim")


def _indented(label: str, text: str) -> str:
    margin = " " * 8
    return margin + label + text.replace("\n", "\n" + margin)


def show_account(output: Output, run: Run) -> None:
    """Print how the run ended, or where it stands, and why."""
    state = state_of(run.state)
    text = gettext("Run %(run)s: %(state)s") % {
        "run": run,
        "state": run.get_state_display(),
    }
    output.line(text, f"bold {TONES.get(state.tone, '')}".strip())
    for sentence in run.account_sentences:
        output.line("  " + spoken(sentence))


def step_line(step: Step) -> tuple[str, str]:
    """Return one line about a step that is over, and its style."""
    state = state_of(step.state)
    said = spoken(step.value.sentences[0])
    more = len(step.value.sentences) - 1
    text = f"{step.position:>4} {step.host.name}: {said}"
    text += f" (+{more})" if more else ""
    seconds = "" if step.seconds is None else f", {step.seconds:.2f} s"
    text += f" … {step.get_state_display()}{seconds}"
    return text, TONES.get(state.tone, "")


# -- the same as JSON -----------------------------------------------------------------


def run_document(run: Run) -> dict[str, Any]:
    """Return the run as docs/files.md describes it."""
    return {
        "number": run.pk,
        "state": run.state,
        "plan_hash": run.plan_hash,
        "revision": run.revision.number if run.revision else None,
        "cautions": [str(sentence) for sentence in run.caution_sentences],
        "account": [str(sentence) for sentence in run.account_sentences],
        "steps": [_step_document(step) for step in _rows(run)],
    }


def _rows(run: Run) -> list[Step]:
    return list(run.steps.select_related("host", "undoes"))


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "number": step.position,
        "host": step.host.name,
        **change_document(step.value),
        "undoes": step.undoes.position if step.undoes else None,
        "state": step.state,
        "exit_status": step.exit_status,
        "seconds": step.seconds,
        "trouble": str(step.trouble_sentence) if step.trouble_sentence else None,
    }


def change_document(change: Change) -> dict[str, Any]:
    return {
        "mark": change.mark.value,
        "sentences": [str(sentence) for sentence in change.sentences],
        "command": _command_document(change.command),
        "undo": _command_document(change.undo) if change.undo else None,
    }


def _command_document(command: Command) -> dict[str, str]:
    return {"line": command.line, "stdin": command.stdin.decode("utf-8", "replace")}
