"""Server-sent events of the live pages, for the ASGI process only (piranha_web.asgi).

See https://html.spec.whatwg.org/multipage/server-sent-events.html and static/js/live.js.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation

from cluster.broadcast import Audience, Broadcast
from cluster.models import Cluster
from cluster.views.graph_look import GraphLook
from cluster.views.look import Look

STREAMS_PER_USER = 4
RETRY_MILLISECONDS = 3000
HEARTBEAT_SECONDS = 10.0
# So long after a log-out, or after an account was closed, a stream may still run.
RECHECK_SECONDS = 15.0

broadcast = Broadcast()


# Not a redirect to the log-in page: a stream that cannot be had answers with 401.
@login_not_required
async def cluster_stream(request: HttpRequest, slug: str) -> HttpResponseBase:
    return await _stream(request, slug, Look.of(request.GET).for_fragment)


@login_not_required
async def graphs_stream(request: HttpRequest, slug: str) -> HttpResponseBase:
    look = GraphLook.read(request.GET, time.time()).for_stream
    return await _stream(request, slug, look)


async def _stream(
    request: HttpRequest, slug: str, look: Look | GraphLook
) -> HttpResponseBase:
    if request.method != "GET":
        return HttpResponse(status=405, headers={"Allow": "GET"})
    user = await request.auser()
    if not user.is_authenticated:
        return HttpResponse(status=401)
    found = await Cluster.objects.filter(slug=slug).values_list("pk").afirst()
    if found is None:
        return HttpResponse(status=404)
    if broadcast.streams_of(user.pk) >= STREAMS_PER_USER:
        return HttpResponse(status=429)
    audience = Audience(found[0], translation.get_language() or "en", look)
    stream = _events(audience, user.pk, request.session.session_key or "")
    return StreamingHttpResponse(
        stream,
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    audience: Audience, user: int, session_key: str
) -> AsyncIterator[bytes]:
    """Yield what the audience sees, until the person logs out or goes away."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    with broadcast.listening(audience, user) as queue:
        checked = time.monotonic()
        while True:
            try:
                message = await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                message = b": still here\n\n"
            if message is None:
                return
            if time.monotonic() - checked >= RECHECK_SECONDS:
                checked = time.monotonic()
                if not await broadcast.call(is_still_in, session_key, user):
                    return
            yield message


def is_still_in(session_key: str, user: int) -> bool:
    """Say whether the session is still that of this person, and the account open."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_user(request).pk == user
