"""A contender that keeps connections: a process of its own, measured by command.

It makes its connections, says ``{"ready": ...}``, and answers each line with a number of
seconds by a line that says what it did and used in them.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.processes import memory_of, running_cpu_of, tree
from bench.result import CannotRun
from piranha_web.supervisor.child import environment

ROOT = Path(__file__).resolve().parent.parent
_Numbers = dict[str, float]


class Contender:
    """The end of it that measures."""

    def __init__(self, module: str, *words: str) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ready = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise CannotRun(f"{self._module} has ended, see the log")
        found: dict[str, Any] = json.loads(line)
        return found

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self, seconds: float) -> None:
        """Let it measure; several do so at once."""
        assert self._process.stdin
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, Any]:
        return self._answer()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


# -- inside it ------------------------------------------------------------------------


_looking = 0.0


def cpu() -> float:
    """Return seconds of CPU of this process and all below it, ended or not.

    Without those of looking: that goes through all processes of the machine.
    """
    global _looking
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    before = time.thread_time()
    below = running_cpu_of(tree(os.getpid()) - {os.getpid()})
    used = [resource.getrusage(kind) for kind in kinds]
    _looking += time.thread_time() - before
    return sum(u.ru_utime + u.ru_stime for u in used) + below - _looking


def memory() -> int:
    gc.collect()
    return memory_of(tree(os.getpid()))


def obey(
    ready: dict[str, Any],
    work: Callable[[float], object],
    numbers: Callable[[], _Numbers],
) -> None:
    """Say what is *ready*, then *work* for so long as each line says, and tell.

    The answer has what *numbers* gained meanwhile, and ``cpu`` in seconds.
    """
    out = sys.stdout
    sys.stdout = sys.stderr
    print(json.dumps(ready), file=out, flush=True)
    for line in sys.stdin:
        before, used = numbers(), cpu()
        work(float(line))
        used, after = cpu() - used, numbers()
        gained = {name: after[name] - before[name] for name in after}
        print(json.dumps(gained | {"cpu": used}), file=out, flush=True)


def wait(seconds: float) -> None:
    """The work of one that has threads for it."""
    time.sleep(seconds)
