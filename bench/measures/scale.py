"""800 directors on one worker; a second takes over half of them, then the first is killed.

A frame each two seconds from everybody, 20 services x 5 real servers, all rows moved. The
workers are those of the product, under Celery, on one database and one live cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import django
from bench.directors import ROOT, Directors
from bench.processes import memory_of
from bench.result import CannotRun, Result, at_most
from piranha_web.supervisor.child import environment

DIRECTORS = int(os.environ.get("PIRANHA_BENCH_DIRECTORS", "800"))
WINDOW = float(os.environ.get("PIRANHA_BENCH_SECONDS", "40"))
PATIENCE = 180.0


def measure() -> Iterator[Result]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        django.set_up(folder / "data")
        from django.conf import settings

        from bench.contenders.watching import add_hosts
        from piranha_web.supervisor import programs
        from tests.services import open_redis

        programs.data_directories()
        valkey = programs.valkey(settings.DATA, settings.VALKEY_SOCKET)
        stack.enter_context(open_redis(list(valkey.argv), settings.VALKEY_SOCKET))
        directors = stack.enter_context(Directors(folder, DIRECTORS))
        add_hosts(directors)
        first = _Worker(directors)
        stack.callback(first.kill)
        began = time.monotonic()
        _until(lambda: len(first.heard(5.0)) == DIRECTORS)
        yield from _alone(first, time.monotonic() - began)
        second = _Worker(directors)
        stack.callback(second.kill)
        yield from _handed_over(first, second)


class _Worker:
    def __init__(self, directors: Directors) -> None:
        words = [str(directors.folder), str(directors.count), str(directors.port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.contenders.worker", *words],
            cwd=ROOT,
            env=environment(),
            stdout=sys.stderr,  # our own is for results
        )
        self.log = directors.folder / f"worker-{self.process.pid}"

    def lines(self, since: float = 0.0) -> list[list[str]]:
        """Return frames and latencies that were noted from a moment on."""
        try:
            lines = [line.split() for line in self.log.read_text().splitlines()[:-1]]
        except FileNotFoundError:
            return []
        start = 0
        for n, line in enumerate(lines):
            if line[0] == "frame" and float(line[3]) < since:
                start = n + 1
        return lines[start:]

    def heard(self, seconds: float) -> set[str]:
        """Return the directors of which a frame came in the last *seconds*."""
        lines = self.lines(time.time() - seconds)
        return {line[1] for line in lines if line[0] == "frame"}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def _until(true: Callable[[], bool]) -> float:
    """Wait; return the seconds."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > PATIENCE:
            raise CannotRun(f"it did not happen in {PATIENCE:.0f} s")
        time.sleep(0.5)
    return time.monotonic() - began


def _alone(worker: _Worker, opening: float) -> Iterator[Result]:
    from cluster.models import Reading

    time.sleep(10)  # whatever came while logins went on is over
    since = time.time()
    time.sleep(WINDOW)
    until = time.time()
    memory = memory_of({worker.process.pid}) / 1e6
    time.sleep(5)  # what came by then is written by now
    frames = [line for line in worker.lines(since) if line[0] == "frame"]
    frames = [line for line in frames if float(line[3]) < until]
    latencies = sorted(
        float(line[1]) for line in worker.lines(since) if line[0] == "cached"
    )
    numbers: dict[str, list[int]] = {}
    for _word, director, number, _at in frames:
        numbers.setdefault(director, []).append(int(number))
    sent = sum(max(some) - min(some) + 1 for some in numbers.values())
    stored = Reading.objects.filter(at__gte=since, at__lt=until).count()
    lost = max(sent - min(stored, len(frames)), 0) / sent
    note = f"{sent} frames of {len(numbers)} directors, {stored} stored"
    yield Result("lost", [100 * lost], at_most(0.1), "% of frames", note)
    yield Result("memory", [memory], at_most(150), "MB")
    late = 1000 * latencies[int(len(latencies) * 0.99)]
    half = 1000 * latencies[len(latencies) // 2]
    note = f"median {half:.0f} ms; {opening:.0f} s until all were watched"
    yield Result("latency", [late], at_most(300), "ms (p99)", note)


def _handed_over(first: _Worker, second: _Worker) -> Iterator[Result]:
    from cluster.models import WatchLease
    from cluster.watch import leases

    def shares() -> list[int]:
        rows = WatchLease.objects.filter(owner__isnull=False)
        return sorted(Counter(rows.values_list("owner", flat=True)).values())

    halves = sorted((DIRECTORS // 2, DIRECTORS - DIRECTORS // 2))
    took = _until(lambda: shares() == halves)
    _until(lambda: len(second.heard(5.0)) >= halves[0])
    own = set(WatchLease.objects.values_list("owner", flat=True))
    yield Result("shared", [took], at_most(30), "s until each has half")
    owners = WatchLease.objects.filter(director__in=map(int, second.heard(5.0)))
    (heir,) = set(owners.values_list("owner", flat=True)) & own
    last = set(
        WatchLease.objects.exclude(owner=heir).values_list("director", flat=True)
    )
    killed = time.time()
    first.kill()
    mine = WatchLease.objects.filter(owner=heir)
    took = _until(lambda: mine.count() == DIRECTORS)
    all_of_them = took + _until(lambda: len(second.heard(5.0)) == DIRECTORS)
    note = f"every director heard again after {all_of_them:.0f} s"
    within = at_most(leases.LEASE.total_seconds() + 1)
    yield Result("taken_over", [took], within, "s after SIGKILL", note)
    time.sleep(5)  # what came by then is written by now
    gaps = _gaps(last, killed)
    note = f"the longest; median {gaps[len(gaps) // 2]:.1f} s"
    promise = at_most(leases.LONGEST_GAP.total_seconds())
    yield Result("gap", gaps[-1:], promise, "s without readings", note)


def _gaps(directors: set[int], killed: float) -> list[float]:
    """Return how long each of those that the killed worker had was without readings."""
    from cluster.models import Reading

    moments: dict[int, list[float]] = {pk: [] for pk in directors}
    rows = Reading.objects.filter(director__in=directors)
    for director, at in rows.order_by("at").values_list("director", "at"):
        moments[director].append(at)
    return sorted(
        min(at for at in some if at >= killed) - max(at for at in some if at < killed)
        for some in moments.values()
    )
