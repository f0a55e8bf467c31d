"""200 open live pages by server-sent events, and the same pages asking every 2 s.

One cluster: 20 services of 5 real servers, all busy, so everything changes every tick.
The CPU is that of the process that serves: events for the streams, web for asking.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import quantiles

from bench import live_visitors as visitors
from bench.live_site import SLUG, Site, site
from bench.processes import running_cpu_of, tree
from bench.result import CannotRun, Result, at_least, at_most
from bench.rounds import ratios, side_by_side

PAGES = int(os.environ.get("PIRANHA_BENCH_PAGES", "200"))
TICKS = int(os.environ.get("PIRANHA_BENCH_TICKS", "8"))
ROUNDS = int(os.environ.get("PIRANHA_BENCH_ROUNDS", "3"))
PERIOD = 2.0
MOST_TO_COME = 30
# Rendering for 200 pages is more than a machine can do: so many, and scaled.
RENDERED_PAGES = max(PAGES // 20, 1)
STREAM = f"/events/clusters/{SLUG}/?open=all"
ORDINARY = ("/", "/hosts/", "/audit/", f"/clusters/{SLUG}/history/", "/password/")


def measure() -> Iterator[Result]:
    with site(services=20) as busy:
        yield from _measured(busy, Watched(busy))


def _measured(busy: Site, watched: Watched) -> Iterator[Result]:
    cookies = busy.cookies(PAGES)
    cached = partial(asked, busy, "/bench/cached/", cookies)
    rendered = partial(asked, busy, "/bench/rendered/", cookies[:RENDERED_PAGES])
    contenders: dict[str, Callable[[], float]] = {
        "stream": lambda: watched.streamed(cookies),
        "cached": cached,
        "rendered": lambda: rendered() * PAGES / RENDERED_PAGES,
    }
    used = side_by_side(contenders, ROUNDS)
    stream = used["stream"]
    note = ", ".join(
        f"{name} {1000 * sum(values) / len(values):,.1f}"
        for name, values in used.items()
    )
    note += f" ms of CPU a second for {PAGES} pages"
    gain = ratios(used["cached"], stream)
    yield Result("cached", gain, at_least(40), "times less CPU", note, used)
    gain = ratios(used["rendered"], stream)
    note = f"asked by {RENDERED_PAGES} pages, scaled"
    yield Result("rendered", gain, at_least(300), "times less CPU", note)
    late = watched.delays
    missing = sum(
        PAGES - len(found) for seen in watched.seen for found in seen.arrivals.values()
    )
    note = f"{len(late)} messages, {missing} missing, {watched.size:,.0f} bytes each"
    yield Result("delay_p99", [1000 * percent(late, 99)], at_most(500), "ms", note)
    took = watched.took
    note = f"{len(took)} pages while {PAGES} streams are open"
    yield Result("pages_p95", [1000 * percent(took, 95)], at_most(100), "ms", note)


def percent(values: Sequence[float], which: int) -> float:
    return quantiles(values, n=100)[which - 1]


class Watched:
    """The rounds with streams, and what was seen in them."""

    def __init__(self, busy: Site) -> None:
        self._site = busy
        self._tick = 0
        self.seen: list[visitors.Seen] = []
        self.delays: list[float] = []
        self.took: list[float] = []

    @property
    def size(self) -> float:
        """Bytes of a message, all in all."""
        ticks = sum(
            len(found) for seen in self.seen for found in seen.arrivals.values()
        )
        return sum(seen.received for seen in self.seen) / max(ticks, 1)

    def streamed(self, cookies: Sequence[str]) -> float:
        """Return the CPU a second that the events process took for all streams."""
        return asyncio.run(self._streamed(cookies))

    async def _streamed(self, cookies: Sequence[str]) -> float:
        busy, seen = self._site, visitors.Seen()
        streams = [
            visitors.listen(busy.events, STREAM, cookie, seen) for cookie in cookies
        ]
        pages = visitors.read_pages(busy.port, ORDINARY, cookies[0], 0.2, self.took)
        used = 0.0

        async def ticks() -> dict[int, float]:
            nonlocal used
            await self._everybody_is_there(seen, len(cookies))
            seen.arrivals.clear()
            seen.received = 0
            events = tree(busy.pids["events"])
            before, began = running_cpu_of(events), time.monotonic()
            sent = await self._publish(TICKS)
            used = (running_cpu_of(events) - before) / (time.monotonic() - began)
            return sent

        sent = await visitors.beside(ticks(), pages, *streams)
        self.seen.append(seen)
        for tick, found in seen.arrivals.items():
            self.delays += [at - sent[tick] for at in found if tick in sent]
        return used

    async def _everybody_is_there(self, seen: visitors.Seen, pages: int) -> None:
        """Publish until a tick has reached all: then all of them have the table."""
        for _ in range(MOST_TO_COME):
            await self._publish(1)
            if len(seen.arrivals.get(self._tick, ())) == pages:
                return
        raise CannotRun(f"not all of {pages} streams were there after a minute")

    async def _publish(self, count: int) -> dict[int, float]:
        ticks = range(self._tick + 1, self._tick + 1 + count)
        self._tick += count
        return await visitors.ticking(self._site.publish, PERIOD, ticks)


def asked(busy: Site, path: str, cookies: Sequence[str]) -> float:
    """Return the CPU a second that the web process takes for pages that ask."""
    busy.publish(1)
    web = tree(busy.pids["web"])
    before = running_cpu_of(web)
    period, seconds = PERIOD, TICKS * PERIOD
    polling = visitors.poll(busy.port, f"{path}{SLUG}/", cookies, period, seconds)
    answered, _late = asyncio.run(polling)
    # By the answer: when the machine falls behind, fewer are asked for.
    return (running_cpu_of(web) - before) / answered * len(cookies) / PERIOD
