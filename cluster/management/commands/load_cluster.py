"""Make a file the wish of a cluster, all of it or nothing (docs/files.md).

Only the draft is written: no host is asked or changed before plan and apply.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from cluster import wish_file
from cluster.lvs.file_reader import Problem
from cluster.lvs.wanted import Refused
from cluster.management.base import Answer, ClusterCommand, Stopped
from cluster.management.output import Exit, spoken
from cluster.management.wish import Loaded, load
from cluster.models import Cluster
from cluster.wish_file import BadText, Parsed


class Command(ClusterCommand):
    help = __doc__ or ""
    acts = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", help="YAML or JSON; - reads standard input")

    def answer(self, cluster: Cluster, options: dict[str, Any]) -> Answer:
        source = options["file"]
        shown = "-" if source == "-" else Path(source).name
        parsed = _parsed(source)
        try:
            loaded = load(cluster, parsed.document, shown, self.actor)
        except Refused as refused:
            found = _in_order(refused.problems, parsed)
            lines = [_line(source, n, problem) for n, problem in found]
            raise Stopped(
                Exit.REFUSED,
                *lines,
                _("Nothing was loaded."),
                problems=[_problem_document(n, problem) for n, problem in found],
            ) from refused
        self._show(loaded)
        return Answer(
            messages=tuple(spoken(remark) for remark in loaded.remarks),
            data={"changes": [str(sentence) for sentence in loaded.changes]},
        )

    def _show(self, loaded: Loaded) -> None:
        for sentence in loaded.changes:
            self.output.line(spoken(sentence))
        if loaded.changes:
            self.output.line(_("Loaded. Nothing is sent before you plan and apply."))
        else:
            self.output.line(_("The cluster wants all of this already."))


def _parsed(source: str) -> Parsed:
    try:
        content = _content(source)
    except OSError as error:
        text = _("%(path)s cannot be read: %(why)s.")
        values = {"path": source, "why": error.strerror}
        raise Stopped(Exit.ERROR, text % values) from error
    try:
        return wish_file.parse(content)
    except BadText as error:
        problem = Problem((), error.sentence)
        line = _line(source, error.line, problem)
        raise Stopped(
            Exit.REFUSED,
            line,
            _("Nothing was loaded."),
            problems=[_problem_document(error.line, problem)],
        ) from error


def _content(source: str) -> bytes:
    """Return the file, and of one that is too large only enough to see that."""
    if source == "-":
        return sys.stdin.buffer.read(wish_file.MOST_BYTES + 1)
    with Path(source).open("rb") as file:
        return file.read(wish_file.MOST_BYTES + 1)


def _in_order(
    problems: tuple[Problem, ...], parsed: Parsed
) -> list[tuple[int, Problem]]:
    found = [(parsed.line_of(problem.path), problem) for problem in problems]
    found.sort(key=lambda one: one[0])
    return found


def _line(source: str, number: int | None, problem: Problem) -> str:
    place = source if number is None else f"{source}:{number}"
    where = f"{problem.where}: " if problem.path else ""
    return f"{place}: {where}{spoken(problem.sentence)}"


def _problem_document(number: int | None, problem: Problem) -> dict[str, Any]:
    return {
        "path": problem.where,
        "line": number,
        "message": str(problem.sentence),
    }
