"""One subscription to the live cache for all streams of this process.

Whoever looks at the same cluster in the same way and language is one audience: what is
new is rendered once a tick, in a thread of its own, and sent to all of them. What is read
for it is read once for all audiences of a cluster.
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

from cluster.admission import Ticket, still_in
from cluster.live_show import Audience, Loaded, Show, render
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
# So long after a log-out, or after an account was closed, a stream may still run.
RECHECK_SECONDS = 10.0
HEARTBEAT_SECONDS = 10.0
HEARTBEAT = b": still here\n\n"

# One message as it goes over the wire; None: the stream ends.
Queue = asyncio.Queue[bytes | None]


@dataclass(slots=True)
class Stage:
    """What an audience has seen last, and its listeners.

    *joining* are those who have not seen it, each with the shape of the table that it
    has: the next show is shown to them as a whole.
    """

    listeners: set[Queue] = field(default_factory=set)
    joining: dict[Queue, str] = field(default_factory=dict)
    show: Show = field(default_factory=Show)
    shown_at: float = 0.0
    sent_at: float = 0.0
    waiting: bool = True

    def join(self, queue: Queue, shape: str = "") -> None:
        self.listeners.discard(queue)
        self.joining[queue] = shape
        self.waiting = True

    def leave(self, queue: Queue) -> None:
        self.listeners.discard(queue)
        self.joining.pop(queue, None)

    @property
    def due(self) -> float:
        """When it is time for the next show."""
        return self.shown_at + (SHORTEST_PAUSE if self.waiting else LONGEST_PAUSE)

    @property
    def everybody(self) -> list[Queue]:
        return [*self.listeners, *self.joining]

    def send(self, queue: Queue, message: bytes) -> None:
        if not queue.full():
            queue.put_nowait(message)
            return
        # Too slow for single changes: what it missed comes as a whole.
        while not queue.empty():
            queue.get_nowait()
        self.join(queue)


def end(queue: Queue) -> None:
    """Let the stream end; what it has not read yet is lost."""
    while queue.full():
        queue.get_nowait()
    queue.put_nowait(None)


class Broadcast:
    """All streams of this process. Used from its event loop only."""

    def __init__(self) -> None:
        self._stages: dict[Audience, Stage] = {}
        self._streams: Counter[int] = Counter()
        self._tickets: dict[Queue, Ticket] = {}
        self._checked_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._bell = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "render")

    def streams_of(self, user: int) -> int:
        return self._streams[user]

    @contextmanager
    def listening(
        self, audience: Audience, ticket: Ticket, shape: str = ""
    ) -> Iterator[Queue]:
        """Join an audience for the length of the block, with a table of this shape."""
        queue: Queue = asyncio.Queue(LATE)
        stage = self._stages.setdefault(audience, Stage())
        stage.join(queue, shape)
        self._tickets[queue] = ticket
        self._streams[ticket.user] += 1
        self._bell.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(self._ended)
        try:
            yield queue
        finally:
            del self._tickets[queue]
            self._streams[ticket.user] -= 1
            if not self._streams[ticket.user]:
                del self._streams[ticket.user]
            stage.leave(queue)
            if not stage.everybody and self._stages.get(audience) is stage:
                del self._stages[audience]

    async def _call(self, work: Any, *args: Any) -> Any:
        """Run something that needs the database, in the thread that has one."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _with_database, work, args)

    async def _run(self) -> None:
        while self._stages:
            await self._serve()

    async def _serve(self) -> None:
        """Do what is due until nobody is left, and sleep in between."""
        loop = asyncio.get_running_loop()
        news = loop.create_task(self._hear())
        news.add_done_callback(lambda _: self._bell.set())
        try:
            while self._stages and not news.done():
                self._bell.clear()
                await self._attend()
                alarm = loop.call_later(self._pause(), self._bell.set)
                await self._bell.wait()
                alarm.cancel()
        finally:
            news.cancel()
            heard = await asyncio.gather(news, return_exceptions=True)
        if isinstance(heard[0], Exception):
            raise heard[0]

    async def _hear(self) -> None:
        """Note whom a new sample concerns, for as long as this task may run."""
        while True:
            try:
                await self._listen()
            except (redis.RedisError, OSError) as error:
                log.warning("The live cache did not answer the streams: %s", error)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        """Raises redis.RedisError."""
        async with (
            redis.asyncio.Redis.from_url(settings.REDIS_URL) as client,
            client.pubsub(ignore_subscribe_messages=True) as news,
        ):
            await news.subscribe(store.CHANNEL)
            async for message in news.listen():
                self._ring(json.loads(message["data"]))

    def _ring(self, pairs: list[list[int]]) -> None:
        clusters = {cluster for _director, cluster in pairs}
        for audience, stage in self._stages.items():
            if audience.cluster in clusters:
                stage.waiting = True
                self._bell.set()

    async def _attend(self) -> None:
        """Do what is due: show, give a sign of life, look whose time is over."""
        now, loaded = time.monotonic(), Loaded()
        try:
            for audience, stage in list(self._stages.items()):
                if now >= stage.due:
                    stage.shown_at, stage.waiting = now, False
                    await self._show_to(audience, stage, loaded)
            if now - self._checked_at >= RECHECK_SECONDS:
                self._checked_at = now
                await self._check()
        except (DatabaseError, InterfaceError) as error:
            log.warning("The database did not answer the streams: %s", error)
        for stage in self._stages.values():
            if now - stage.sent_at >= HEARTBEAT_SECONDS:
                stage.sent_at = now
                for queue in list(stage.listeners):
                    stage.send(queue, HEARTBEAT)

    def _pause(self) -> float:
        """Return the seconds until something is due; a sample may come before."""
        due = [self._checked_at + RECHECK_SECONDS]
        for stage in self._stages.values():
            due += (stage.due, stage.sent_at + HEARTBEAT_SECONDS)
        return max(min(due) - time.monotonic(), 0.0)

    async def _show_to(self, audience: Audience, stage: Stage, loaded: Loaded) -> None:
        before, shapes = stage.show, set(stage.joining.values())
        show = await self._call(render, audience, before, shapes, loaded)
        if show is None:
            for queue in stage.everybody:
                end(queue)
            return
        stage.show, stage.sent_at = show, time.monotonic()
        news = show.news(before) if stage.listeners else b""
        for queue in list(stage.listeners):
            stage.send(queue, news)
        for shape in shapes:
            everything = show.everything(shape)
            # Whoever came while this was rendered waits for the next one.
            for queue in [q for q, own in stage.joining.items() if own == shape]:
                del stage.joining[queue]
                stage.listeners.add(queue)
                stage.send(queue, everything)

    async def _check(self) -> None:
        """End the streams of people who have logged out or may not look any more."""
        # Whoever comes while this is asked has just been let in.
        asked = dict(self._tickets)
        welcome = await self._call(still_in, set(asked.values()))
        for queue, ticket in asked.items():
            if ticket not in welcome:
                end(queue)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A fault of ours must not leave streams that look alive: end them all."""
        if task.cancelled() or task.exception() is None:
            return
        log.error("The live streams have failed", exc_info=task.exception())
        for stage in self._stages.values():
            for queue in stage.everybody:
                end(queue)


def _with_database(work: Any, args: tuple[Any, ...]) -> Any:
    close_old_connections()
    return work(*args)
