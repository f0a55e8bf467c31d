"""Processes that the lab started, and how it ends exactly those.

A recorded process is known by its number and its start time, so a number that the
kernel has given to somebody else since is never taken for ours.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from labhost.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Process:
    """A session leader: what it starts belongs to the session that has its number."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        stat = _stat(self.pid)
        return stat is not None and stat.started == self.started and stat.state != "Z"

    def family(self) -> list[Process]:
        """Itself and what it started, as far as they are alive.

        The kernel gives nobody a number that a session still has, so members that
        outlive their leader are ours as long as the leader's number is not taken.
        """
        leader = _stat(self.pid)
        if leader is not None and leader.started != self.started:
            return []
        return [
            Process(pid, stat.started)
            for pid in _pids()
            if (stat := _stat(pid)) is not None
            and stat.session == self.pid
            and stat.started >= self.started
            and stat.state != "Z"
        ]

    def kill(self, within: float = 10.0) -> None:
        """SIGKILL for the whole family, and wait until it is gone."""
        deadline = time.monotonic() + within
        while family := self.family():
            for member in family:
                _kill(member)
            _reap(self.pid)
            if time.monotonic() > deadline:
                raise Trouble(f"Process {self.pid} does not end after SIGKILL.")
            time.sleep(0.02)

    def record(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)) + "\n")


def recorded(path: Path) -> Process | None:
    """The process recorded there, dead or alive."""
    try:
        return Process(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None


def running(path: Path) -> Process | None:
    process = recorded(path)
    return process if process is not None and process.alive else None


def start(
    command: Sequence[str],
    *,
    record: Path,
    log: Path,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Starts a session of its own that outlives this command."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
            env=env,
            pass_fds=pass_fds,
        )
    stat = _stat(child.pid)
    if stat is None:
        raise Trouble(f"{command[0]} ended at once; see {log}.")
    process = Process(child.pid, stat.started)
    process.record(record)
    return process


@dataclass(frozen=True, slots=True)
class _Stat:
    state: str
    session: int
    started: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(state=fields[0], session=int(fields[3]), started=int(fields[19]))


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _kill(process: Process) -> None:
    stat = _stat(process.pid)
    if stat is None or stat.started != process.started:
        return
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reap(pid: int) -> None:
    """A child of this very command stays a zombie until somebody asks for it."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
