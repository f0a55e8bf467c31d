"""One process of ours: started, read, restarted, stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import IO

from piranha_web.logs import one_line
from piranha_web.supervisor.ledger import Entry, entry, kill_group
from piranha_web.supervisor.programs import Program

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
# A process that lived this long did not die of a bad start.
GOOD_LIFE = 30.0

_output = threading.Lock()


def say(name: str, text: str) -> None:
    """Print one line, marked with the name of the process that it is about."""
    with _output, contextlib.suppress(OSError):
        # A terminal that went away must not stop the processes behind it.
        sys.stdout.write(f"{name:<7}| {one_line(text)}\n")
        sys.stdout.flush()


class Child:
    """A program and its current process, if any."""

    def __init__(self, program: Program, environment: dict[str, str]) -> None:
        self.program = program
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.start_at = 0.0
        self._delay = FIRST_DELAY
        self._started = 0.0

    @property
    def entry(self) -> Entry | None:
        """What the ledger says about the current process."""
        return entry(self.program.name, self.process.pid) if self.process else None

    def start(self) -> None:
        """Start the process in a session of its own.

        So Ctrl-C reaches the supervisor only, and a group can be ended as one.
        """
        listener = self.program.listener
        self.process = subprocess.Popen(
            self.program.argv,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()] if listener else [],
            start_new_session=True,
        )
        if self._started:
            say(self.program.name, f"started again, process {self.process.pid}")
        self._started = time.monotonic()
        assert self.process.stdout is not None  # noqa: S101 (asked for above)
        reader = threading.Thread(
            target=_relay, args=(self.program.name, self.process.stdout), daemon=True
        )
        reader.start()

    def buried(self) -> bool:
        """Take note of a death and when to start again; True if one was found."""
        if self.process is None or self.process.poll() is None:
            return False
        # What a killed leader forked would keep the port and the memory.
        kill_group(self.process.pid)
        now = time.monotonic()
        # Whoever lived well is started again at once: nobody watches meanwhile.
        lived_well = now - self._started >= GOOD_LIFE
        delay = 0.0 if lived_well else self._delay
        self.start_at = now + delay
        ended = _ending(self.process.returncode)
        say(self.program.name, f"{ended}, starting again in {delay:g} s")
        self._delay = FIRST_DELAY if lived_well else min(2 * delay, LONGEST_DELAY)
        self.process = None
        return True

    def terminate(self) -> None:
        """Ask the process to finish what it does and end."""
        if self.process is not None:
            self.process.terminate()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def finish(self, patience: float) -> None:
        """Wait so many seconds for the end, then end it and what it forked."""
        if self.process is None:
            return
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            say(self.program.name, "did not end in time, killed")
        kill_group(self.process.pid)
        self.process.wait()
        self.process = None


def _relay(name: str, pipe: IO[bytes]) -> None:
    with pipe:
        for line in iter(lambda: pipe.readline(65536), b""):
            text = line.decode(errors="replace").rstrip()
            if text:
                say(name, text)


def _ending(returncode: int) -> str:
    if returncode < 0:
        return f"ended by {signal.Signals(-returncode).name}"
    return f"ended with exit status {returncode}"


def environment(**extra: str) -> dict[str, str]:
    """Return our environment for children, with some variables set.

    Hundreds of threads share two places to allocate from, not sixteen: only one of them
    runs Python at a time, and a stream takes a third less memory (mallopt(3)).
    """
    return {"MALLOC_ARENA_MAX": "2", **os.environ, **extra}
