"""Measuring side by side: every contender in turn, round after round."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager


def seconds(call: Callable[[], object]) -> float:
    """Return how long *call* takes by the clock."""
    began = time.perf_counter()
    result = call()
    took = time.perf_counter() - began
    del result  # to be thrown away is no part of what it does
    return took


def cpu(call: Callable[[], object]) -> float:
    """Return the seconds of CPU that *call* takes, with threads and ended children."""
    before = _cpu_now()
    result = call()
    used = _cpu_now() - before
    del result
    return used


def _cpu_now() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextmanager
def timed(owner: object, name: str) -> Iterator[list[float]]:
    """Collect the seconds of CPU of each call of a function, while the block lasts."""
    used: list[float] = []
    function = getattr(owner, name)

    def timing(*args: object, **options: object) -> object:
        before = _cpu_now()
        result = function(*args, **options)
        used.append(_cpu_now() - before)
        return result

    setattr(owner, name, timing)
    try:
        yield used
    finally:
        setattr(owner, name, function)


def side_by_side(
    contenders: Mapping[str, Callable[[], float]], rounds: int = 5
) -> dict[str, list[float]]:
    """Return what each contender said in every round, such as ``lambda: cpu(work)``.

    Every second round goes the other way, so that nobody always comes first.
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        names = list(contenders)
        for name in reversed(names) if turn % 2 else names:
            gc.collect()
            found[name].append(contenders[name]())
    return found


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return one ratio for each round."""
    return [a / b for a, b in zip(above, below, strict=True)]
