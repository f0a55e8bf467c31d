"""Bring a run on in this process, beside the workers, and tell what happens meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.utils.translation import gettext as _
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from cluster.control import running
from cluster.control.targets import Connect, shell_for
from cluster.lvs.command import Command
from cluster.management import output as shown
from cluster.management.output import Output
from cluster.models import Host, Run, Step
from cluster.remote.shell import Output as Answer
from cluster.remote.shell import Shell

LOOK_SECONDS = 0.5
_OVER = (Step.State.DONE, Step.State.FAILED, Step.State.UNKNOWN)


def connect(host: Host) -> Shell:
    """Log in on a host: the one way by which commands reach any."""
    return shell_for(host)


class WatchedShell(Shell):
    """A Shell that tells before each command that something has happened."""

    def __init__(self, shell: Shell, tell: Callable[[], None]) -> None:
        self._shell, self._tell = shell, tell

    @property
    def name(self) -> str:
        return self._shell.name

    def run(self, command: Command) -> Answer:
        self._tell()
        return self._shell.run(command)

    def run_all(self, commands: Sequence[Command]) -> list[Answer]:
        self._tell()
        return self._shell.run_all(commands)

    def run_in_order(self, commands: Sequence[Command]) -> Iterator[Answer]:
        self._tell()
        for answer in self._shell.run_in_order(commands):
            yield answer
            self._tell()

    def close(self) -> None:
        self._shell.close()


def attend(run: Run, over: Callable[[Run], bool], tell: Callable[[], None]) -> None:
    """Work on the run until *over*, or wait for the worker that has it.

    A worker that dies loses its lease; then the run goes on here.
    """
    here = threading.get_ident()

    def tell_here() -> None:
        # Hosts are observed by threads: those must not read rows of their own.
        if threading.get_ident() == here:
            tell()

    way = watched(connect, tell_here)
    while True:
        running.attend(run.pk, way)
        run.refresh_from_db()
        tell()
        if over(run):
            return
        time.sleep(LOOK_SECONDS)


def watched(way: Connect, tell: Callable[[], None]) -> Connect:
    def connect_watched(host: Host) -> WatchedShell:
        return WatchedShell(way(host), tell)

    return connect_watched


class Progressing:
    """Prints each step when it is over; on a terminal a bar shows the one under way."""

    def __init__(self, run: Run, output: Output, bar: Progress | None) -> None:
        self.run, self.output, self.bar = run, output, bar
        self.told: set[int] = set()
        total = run.steps.filter(undoes=None).count()
        self.task = bar.add_task(_("reading the hosts"), total=total) if bar else None

    def tell(self) -> None:
        steps = self.run.steps.exclude(state__in=["pending", "skipped"])
        sent = []
        for step in steps.select_related("host").exclude(pk__in=self.told):
            if step.state in _OVER:
                self.told.add(step.pk)
                line, style = shown.step_line(step)
                self.output.line(line, style)
            elif step.state == Step.State.SENT:
                sent.append(step)
        if sent and self.bar and self.task is not None:
            # The host is at the first of those that were sent together.
            said = shown.spoken(sent[0].value.sentences[0])
            text = Text(f"{sent[0].host.name}: {said}").markup
            self.bar.update(self.task, description=text)
        if self.bar and self.task is not None:
            rows = self.run.steps.count()
            self.bar.update(self.task, completed=len(self.told), total=rows)


@contextmanager
def progress(run: Run, output: Output) -> Iterator[Progressing]:
    """Show what happens to the steps of a run while the block lasts."""
    if not output.is_terminal:
        yield Progressing(run, output, None)
        return
    columns = (
        SpinnerColumn(),
        BarColumn(20),
        TextColumn("{task.completed}/{task.total} {task.description}"),
    )
    with Progress(*columns, console=output.console, transient=True) as bar:
        yield Progressing(run, output, bar)
