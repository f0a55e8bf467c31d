"""serve.json: which processes a supervisor started, so that the next one finds them.

Children go on when their supervisor is killed: a run in progress must end. The
next supervisor stops them before it starts its own.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


class AlreadyServed(Exception):
    """Another supervisor works on this data directory."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A process, told apart from a later one with the same number by its start."""

    name: str
    pid: int
    started: int  # clock ticks since boot, see proc(5)
    boot: str

    @property
    def alive(self) -> bool:
        return self.boot == boot_id() and start_time(self.pid) == self.started


def boot_id() -> str:
    """Return what the kernel calls this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_time(pid: int) -> int | None:
    """Return when the process started, ``None`` when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in brackets may hold anything, so count from its end (field 3 on).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def entry(name: str, pid: int) -> Entry | None:
    """Return the entry of a running process, ``None`` when it is gone already."""
    started = start_time(pid)
    return None if started is None else Entry(name, pid, started, boot_id())


@contextlib.contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Hold the data directory, or raise AlreadyServed.

    The lock ends with this process, however it ends; children do not inherit it.
    """
    with (data / "serve.lock").open("a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyServed(
                f"The dashboard is already running with the data in {data}. "
                f"Stop that one first, or set PIRANHA_DATA to another directory."
            ) from error
        yield


def write(path: Path, entries: list[Entry]) -> None:
    """Replace the ledger in one step."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps([asdict(e) for e in entries], indent=1) + "\n")
    draft.replace(path)


def read(path: Path) -> list[Entry]:
    """Return the processes of the ledger; none when there is no usable ledger."""
    try:
        return [Entry(**row) for row in json.loads(path.read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return []


def stop(entries: list[Entry], *, patience: float) -> list[Entry]:
    """Stop processes that are not our children; return those that were alive."""
    alive = [entry for entry in entries if entry.alive]
    for orphan in alive:
        _signal(orphan.pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(orphan.alive for orphan in alive) and time.monotonic() < deadline:
        time.sleep(0.05)
    for orphan in alive:
        kill_group(orphan.pid)
    return alive


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_group(leader: int) -> None:
    """End a process and what it forked, at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
