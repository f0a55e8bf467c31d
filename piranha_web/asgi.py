"""The live streams under /events/, for one ASGI process.

Every other URL belongs to the WSGI process. The page comes from another port of
the same host, so the browser asks for permission (CORS) to read the stream.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import django
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http.response import HttpResponseBase
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piranha_web.settings")
django.setup(set_prefix=False)

from cluster.events import EventStream  # noqa: E402
from piranha_web.origins import EVENTS_PREFIX, may_read_events  # noqa: E402

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class EventsHandler(ASGIHandler):
    """Django for the question who may look; the bodies of streams write themselves.

    All middleware and views run in one thread, one request after the other. Django's own
    way gives each request a thread with a connection to the database, and a stream would
    keep both for as long as it is open.
    """

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        # Now, and not by the first hundred who come at once.
        get_resolver().url_patterns  # noqa: B018
        self._door = ThreadPoolExecutor(1, "door")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        request = ASGIRequest(scope, BytesIO())
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(self._door, self._answer, request)
        sent = asyncio.create_task(self.send_response(response, send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({sent, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sent, gone):
                task.cancel()
            await asyncio.gather(sent, gone, return_exceptions=True)
        if not sent.cancelled():
            sent.result()

    def _answer(self, request: ASGIRequest) -> HttpResponseBase:
        close_old_connections()
        return self.get_response(request)

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        if not isinstance(response, EventStream):
            await super().send_response(response, send)
            return
        headers = [
            (name.encode("ascii"), value.encode("latin-1"))
            for name, value in response.items()
        ]
        status = response.status_code
        start = {"type": "http.response.start", "status": status, "headers": headers}
        await send(start)
        await response.write_to(send)


async def _gone(receive: Receive) -> None:
    """Wait until the browser has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


django_application = EventsHandler()


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer /events/ for pages of this dashboard, refuse everything else."""
    if scope["type"] != "http" or not scope["path"].startswith(EVENTS_PREFIX):
        await _refuse(send, 404)
        return
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    origin = headers.get(b"origin", "")
    if not origin:
        await django_application(scope, receive, send)
    elif may_read_events(origin, scope["scheme"], headers.get(b"host", "")):
        await django_application(scope, receive, _with_permission(send, origin))
    else:
        await _refuse(send, 403)


def _with_permission(send: Send, origin: str) -> Send:
    async def send_with_permission(message: Message) -> None:
        if message["type"] == "http.response.start":
            permission = [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-allow-credentials", b"true"),
                (b"vary", b"origin"),
            ]
            message = {**message, "headers": [*message["headers"], *permission]}
        await send(message)

    return send_with_permission


async def _refuse(send: Send, status: int) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"0")]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": b""})
