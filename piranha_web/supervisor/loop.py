"""The supervisor itself: one thread that waits for deaths and signals."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from piranha_web.supervisor import ledger
from piranha_web.supervisor.child import Child, say
from piranha_web.supervisor.programs import Program

# Everything has ended this long after Ctrl-C: 10 s for the processes, then the broker.
PATIENCE = 10.0
BROKER_PATIENCE = 4.0


class NotReady(Exception):
    """A process that others need did not come up."""


class Supervisor:
    """Keeps programs running until a signal comes.

    ``broker`` is started before the others and stopped after them.
    """

    def __init__(
        self,
        programs: list[Program],
        *,
        broker: Program | None,
        environment: dict[str, str],
        book: Path,
    ) -> None:
        self.broker = Child(broker, environment) if broker else None
        self.children = [Child(program, environment) for program in programs]
        self.book = book
        self._wake = threading.Event()
        # Only noted in the handler, which may interrupt a line being printed.
        self._signals: list[int] = []

    @property
    def everyone(self) -> list[Child]:
        return [*([self.broker] if self.broker else []), *self.children]

    def run(
        self, *, broker_ready: Callable[[], bool], once_up: Callable[[], bool]
    ) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP.

        ``once_up`` is called until it returns True: it looks whether the pages
        answer and tells people where they are.
        """
        with self._handlers():
            try:
                self._start_broker(broker_ready)
                up = False
                while not self._signals:
                    self._tend()
                    up = up or once_up()
                    self._wake.wait(self._pause() if up else 0.1)
                    self._wake.clear()
            finally:
                self._stop()

    def _start_broker(self, ready: Callable[[], bool]) -> None:
        if self.broker is None:
            return
        self.broker.start()
        self._write_book()
        deadline = time.monotonic() + 10
        while not ready():
            process = self.broker.process
            if process is None or process.poll() is not None:
                raise NotReady(
                    "The embedded broker ended: see valkey.log beside its data."
                )
            if time.monotonic() > deadline or self._signals:
                raise NotReady("The embedded broker does not answer after 10 s.")
            time.sleep(0.02)

    def _tend(self) -> None:
        """Bury the dead and start what is due."""
        changed = False
        for child in self.everyone:
            changed |= child.buried()
            if child.process is None and time.monotonic() >= child.start_at:
                child.start()
                # At once: what is not in the book is not found after our own death.
                self._write_book()
        if changed:
            self._write_book()

    def _pause(self) -> float:
        """Return how long nothing is due; a death wakes us earlier."""
        due = [child.start_at for child in self.everyone if child.process is None]
        return max(0.0, min(due) - time.monotonic()) if due else 60.0

    def _stop(self) -> None:
        for number in self._signals:
            say("serve", f"{signal.Signals(number).name}: stopping")
        deadline = time.monotonic() + PATIENCE
        for child in self.children:
            child.terminate()
        while (
            any(child.running for child in self.children)
            and time.monotonic() < deadline
            and len(self._signals) < 2  # a second Ctrl-C: somebody is in a hurry
        ):
            self._wake.wait(0.1)
            self._wake.clear()
        for child in self.children:
            child.finish(0.0)
        if self.broker is not None:
            # The last, because the others tell it what they finished.
            self.broker.terminate()
            self.broker.finish(BROKER_PATIENCE)
        self.book.unlink(missing_ok=True)

    def _write_book(self) -> None:
        ledger.write(self.book, [e for child in self.everyone if (e := child.entry)])

    @contextlib.contextmanager
    def _handlers(self) -> Iterator[None]:
        """Note signals; the loop acts on them."""

        def note(number: int, _frame: FrameType | None) -> None:
            if number != signal.SIGCHLD:
                self._signals.append(number)
            self._wake.set()

        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]
        # nohup(1) starts us with SIGHUP ignored: leave it so.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
