"""Server-sent events of the live pages, for the ASGI process only (piranha_web.asgi).

See https://html.spec.whatwg.org/multipage/server-sent-events.html and static/js/live.js.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation

from cluster.admission import Ticket
from cluster.broadcast import Broadcast
from cluster.live_show import Audience
from cluster.models import Cluster
from cluster.views.graph_look import GraphLook
from cluster.views.look import Look

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
STREAMS_PER_USER = 4
RETRY_MILLISECONDS = 3000

broadcast = Broadcast()


# Not a redirect to the log-in page: a stream that cannot be had answers with 401.
@login_not_required
def cluster_stream(request: HttpRequest, slug: str) -> HttpResponseBase:
    return _stream(request, slug, Look.of(request.GET).for_fragment)


@login_not_required
def graphs_stream(request: HttpRequest, slug: str) -> HttpResponseBase:
    look = GraphLook.read(request.GET, time.time()).for_stream
    return _stream(request, slug, look)


def _stream(
    request: HttpRequest, slug: str, look: Look | GraphLook
) -> HttpResponseBase:
    if request.method != "GET":
        return HttpResponse(status=405, headers={"Allow": "GET"})
    user = request.user
    if not user.is_authenticated:
        return HttpResponse(status=401)
    found = Cluster.objects.filter(slug=slug).values_list("pk").first()
    if found is None:
        return HttpResponse(status=404)
    if broadcast.streams_of(user.pk) >= STREAMS_PER_USER:
        return HttpResponse(status=429)
    audience = Audience(found[0], translation.get_language() or "en", look)
    ticket = Ticket(user.pk, request.session.session_key or "")
    return EventStream(audience, ticket, _shape(request))


class EventStream(StreamingHttpResponse):
    """What an audience sees, until the person logs out or goes away.

    Written by ``write_to``, without the iterators of a streaming response: with hundreds
    of listeners they cost more than what they carry.
    """

    def __init__(self, audience: Audience, ticket: Ticket, shape: str) -> None:
        super().__init__(
            content_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._audience, self._ticket, self._shape = audience, ticket, shape

    async def write_to(self, send: Send) -> None:
        """Send the body; the head is sent."""
        await send(_body(f"retry: {RETRY_MILLISECONDS}\n\n".encode()))
        with broadcast.listening(self._audience, self._ticket, self._shape) as queue:
            while (message := await queue.get()) is not None:
                await send(_body(message))
        await send({"type": "http.response.body", "body": b""})


def _body(part: bytes) -> Mapping[str, Any]:
    return {"type": "http.response.body", "body": part, "more_body": True}


def _shape(request: HttpRequest) -> str:
    """Return the shape of the table that the browser has, see live_show.py.

    The browser sends a header when it reconnects by itself; in the address is what the
    page began with, or what live.js has seen last.
    """
    seen = request.GET.get("last_event_id", "")
    return request.headers.get("Last-Event-ID", seen).partition(".")[2][:32]
