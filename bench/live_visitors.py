"""Open pages as connections: listeners of the streams, and pages that ask again.

A small client by hand: what a browser spends must not hide what the server does.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle

_POINT = re.compile(rb'event: point\ndata: (\{"graph":"#graph"[^\n]*)\n')

_TAIL = 600


@dataclass
class Seen:
    """What all visitors saw: when each tick came to each, and bytes."""

    arrivals: dict[int, list[float]] = field(default_factory=dict)
    received: int = 0
    broken: int = 0


async def listen(port: int, path: str, cookie: str, seen: Seen) -> None:
    """Read one stream until it is cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    try:
        writer.write(_request(path, cookie))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        rest = b""
        while part := await reader.read(2**20):
            seen.received += len(part)
            # The point is the last event of a message, and a short one.
            rest = (rest + part)[-_TAIL:] if len(part) < _TAIL else part[-_TAIL:]
            if found := _POINT.search(rest):
                tick = int(json.loads(found[1])["values"][1])
                seen.arrivals.setdefault(tick, []).append(time.time())
                rest = b""
        seen.broken += 1
    finally:
        writer.close()


class Visitor:
    """A kept connection over which one page after another is asked for."""

    def __init__(self, port: int, cookie: str) -> None:
        self._port, self._cookie = port, cookie
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> int:
        """Return how many bytes the answer has; it must be 200."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                "127.0.0.1", self._port, limit=2**24
            )
        reader, writer = self._streams
        writer.write(_request(path, self._cookie))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:300]
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length, head
        await reader.readexactly(int(length[1]))
        if b"connection: close" in head.lower():
            self.close()
        return int(length[1])

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


def _request(path: str, cookie: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n"
    ).encode()


async def poll(
    port: int, path: str, cookies: Sequence[str], period: float, seconds: float
) -> tuple[int, float]:
    """Let each cookie ask every *period*; return answers, and how late the last was."""
    end = time.monotonic() + seconds
    answered, late = 0, 0.0

    async def ask(cookie: str, offset: float) -> None:
        nonlocal answered, late
        visitor = Visitor(port, cookie)
        due = time.monotonic() + offset
        try:
            while due < end:
                await asyncio.sleep(max(due - time.monotonic(), 0))
                await visitor.get(path)
                answered += 1
                due += period
                late = max(late, time.monotonic() - due)
        finally:
            visitor.close()

    offsets = [period * n / len(cookies) for n in range(len(cookies))]
    await asyncio.gather(*map(ask, cookies, offsets))
    return answered, late


async def read_pages(
    port: int, paths: Sequence[str], cookie: str, pause: float, took: list[float]
) -> None:
    """Open one page after another until it is cancelled; note the seconds of each."""
    visitor = Visitor(port, cookie)
    for path in cycle(paths):
        began = time.perf_counter()
        await visitor.get(path)
        took.append(time.perf_counter() - began)
        await asyncio.sleep(pause)


async def ticking(
    publish: Callable[[int], float], period: float, ticks: Sequence[int]
) -> dict[int, float]:
    """Publish one sample a period; return when each began."""
    sent, due = {}, time.monotonic()
    for tick in ticks:
        sent[tick] = await asyncio.to_thread(publish, tick)
        due += period
        await asyncio.sleep(max(due - time.monotonic(), 0))
    return sent


async def beside(
    work: Awaitable[dict[int, float]], *others: Awaitable[None]
) -> dict[int, float]:
    """Do *work* while the others go on, then stop them; their faults are ours."""
    tasks = [asyncio.ensure_future(other) for other in others]
    try:
        sent = await work
        for task in tasks:
            if task.done():
                task.result()
        return sent
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
