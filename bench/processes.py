"""CPU and memory of process trees that outlive a round: sshd, workers, ssh."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def tree(root: int) -> set[int]:
    """Return *root* and all that descend from it now."""
    parents: dict[int, list[int]] = {}
    for path in _PROC.glob("[0-9]*/stat"):
        fields = _stat(path)
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, waiting = {root}, [root]
    while waiting:
        children = set(parents.get(waiting.pop(), [])) - found
        found |= children
        waiting += children
    return found


def cpu_of(pids: set[int]) -> float:
    """Return seconds of CPU so far, with those of ended children (1/100 s exact).

    Take it before and after with the whole ``tree``, so that every child that ends in
    between is counted by its parent.
    """
    ticks = 0
    for pid in pids:
        fields = _stat(_PROC / str(pid) / "stat")
        ticks += sum(int(word) for word in fields[11:15])
    return ticks / _TICK


def running_cpu_of(pids: set[int]) -> float:
    """Return seconds of CPU of threads that are there now, exact to the microsecond.

    For many processes that each do little: hundredths of a second would hide it.
    """
    nanoseconds = 0
    for pid in pids:
        for path in (_PROC / str(pid) / "task").glob("*/schedstat"):
            try:
                nanoseconds += int(path.read_text().split()[0])
            except (OSError, IndexError):
                continue  # it has ended
    return nanoseconds / 1e9


def memory_of(pids: set[int]) -> int:
    """Return bytes; a page that several processes share is counted in parts (PSS)."""
    kib = 0
    for pid in pids:
        try:
            text = (_PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue  # it has ended, or is a kernel thread
        lines = [line.split() for line in text.splitlines()]
        kib += sum(int(words[1]) for words in lines if words[0] == "Pss:")
    return kib * 1024


def _stat(path: Path) -> list[str]:
    """Return the fields of proc(5) stat from the third (state) on."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return []
