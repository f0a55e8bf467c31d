"""One subscription to the live cache for all streams of this process.

Whoever looks at the same cluster in the same way and language is one audience: its
fragment is rendered once a tick, in a thread of its own, and sent to all of them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis
import redis.asyncio
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import translation

from cluster.lvs.frame import PERIOD
from cluster.models import Cluster
from cluster.views import graph_live, live_page
from cluster.views.graph_look import GraphLook
from cluster.views.look import Look
from cluster.watch import store

log = logging.getLogger(__name__)

# Two directors of a cluster tick at different moments: not twice for one second.
SHORTEST_PAUSE = 1.0
# Without a tick the page is rendered so often: to say that the numbers are old, and
# what else has changed.
LONGEST_PAUSE = 5.0
# A listener may be so many messages late, then it gets the whole once more.
LATE = 8
RECONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Audience:
    """People who see the same: a live page, or only the newest point of graphs."""

    cluster: int
    language: str
    look: Look | GraphLook


# One message as it goes over the wire; None: the stream ends.
Queue = asyncio.Queue[bytes | None]


@dataclass(slots=True)
class Stage:
    """What an audience has seen last, and its listeners."""

    listeners: set[Queue] = field(default_factory=set)
    regions: dict[str, str] = field(default_factory=dict)
    shown_at: float = 0.0
    waiting: bool = True


def event(name: str, data: Any, number: int) -> bytes:
    text = json.dumps(data, separators=(",", ":"))
    return f"id: {number}\nevent: {name}\ndata: {text}\n\n".encode()


def html_events(regions: dict[str, str], number: int) -> bytes:
    return b"".join(
        event("html", {"target": target, "html": html}, number)
        for target, html in regions.items()
    )


class Broadcast:
    """All streams of this process. Used from its event loop only."""

    def __init__(self) -> None:
        self._stages: dict[Audience, Stage] = {}
        self._streams: Counter[int] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "render")
        self._number = 0

    def streams_of(self, user: int) -> int:
        return self._streams[user]

    @contextmanager
    def listening(self, audience: Audience, user: int) -> Iterator[Queue]:
        """Join an audience for the length of the block."""
        queue: Queue = asyncio.Queue(LATE)
        stage = self._stages.setdefault(audience, Stage())
        stage.listeners.add(queue)
        self._streams[user] += 1
        if stage.regions:
            queue.put_nowait(html_events(stage.regions, self._number))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(self._ended)
        try:
            yield queue
        finally:
            self._streams[user] -= 1
            if not self._streams[user]:
                del self._streams[user]
            stage.listeners.discard(queue)
            if not stage.listeners:
                self._stages.pop(audience, None)

    async def call(self, work: Any, *args: Any) -> Any:
        """Run something that needs the database, in the thread that has one."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _with_database, work, args)

    async def _run(self) -> None:
        while self._stages:
            try:
                await self._follow()
            except (redis.RedisError, OSError) as error:
                log.warning("The live cache did not answer the streams: %s", error)
                await self._show()
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self) -> None:
        """Show every tick until nobody is left; raises redis.RedisError."""
        async with (
            redis.asyncio.Redis.from_url(settings.REDIS_URL) as client,
            client.pubsub(ignore_subscribe_messages=True) as news,
        ):
            await news.subscribe(store.CHANNEL)
            while self._stages:
                message = await news.get_message(timeout=0.25)
                if message is not None:
                    self._ring(json.loads(message["data"]))
                await self._show()

    def _ring(self, pairs: list[list[int]]) -> None:
        clusters = {cluster for _director, cluster in pairs}
        for audience, stage in self._stages.items():
            if audience.cluster in clusters:
                stage.waiting = True

    async def _show(self) -> None:
        now = time.monotonic()
        for audience, stage in list(self._stages.items()):
            pause = now - stage.shown_at
            if pause >= LONGEST_PAUSE or (stage.waiting and pause >= SHORTEST_PAUSE):
                stage.shown_at, stage.waiting = now, False
                await self._show_to(audience, stage)

    async def _show_to(self, audience: Audience, stage: Stage) -> None:
        try:
            shown = await self.call(render, audience)
        except (DatabaseError, InterfaceError) as error:
            log.warning("The database did not answer the streams: %s", error)
            return
        if shown is None:
            self._send(stage, None)
            return
        regions, point = shown
        self._number += 1
        news = {t: html for t, html in regions.items() if stage.regions.get(t) != html}
        stage.regions = regions
        # Even when nothing has changed: that, too, is news, of a certain age.
        beat = event("tick", None, self._number)
        line = event("point", point, self._number) if point else b""
        self._send(stage, (html_events(news, self._number) or beat) + line)

    def _send(self, stage: Stage, message: bytes | None) -> None:
        for queue in stage.listeners:
            if queue.full():
                # Too slow for single changes: what it missed comes as a whole.
                while not queue.empty():
                    queue.get_nowait()
                if message is not None:
                    queue.put_nowait(html_events(stage.regions, self._number))
                    continue
            queue.put_nowait(message)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A fault of ours must not leave streams that look alive: end them all."""
        if task.cancelled() or task.exception() is None:
            return
        log.error("The live streams have failed", exc_info=task.exception())
        for stage in self._stages.values():
            stage.regions = {}
            self._send(stage, None)


def _with_database(work: Any, args: tuple[Any, ...]) -> Any:
    close_old_connections()
    return work(*args)


kept = live_page.WantedKept()


def render(audience: Audience) -> tuple[dict[str, str], dict[str, Any] | None] | None:
    """Return the regions and the point of the graph; None: the cluster is gone."""
    clusters = Cluster.objects.select_related("director")
    cluster = clusters.filter(pk=audience.cluster).first()
    if cluster is None:
        return None
    now = time.time()
    if isinstance(audience.look, GraphLook):
        with translation.override(audience.language):
            return {}, graph_live.newest(cluster, audience.look)
    with translation.override(audience.language):
        live = live_page.load(cluster, now, kept)
        regions = live_page.regions(live, audience.look)
    totals = live.totals
    if totals["active"] is None:
        return regions, None
    at = now // PERIOD * PERIOD
    values = [totals["conns"], totals["active"]]
    return regions, {"graph": "#graph", "t": at, "values": values}
