"""``/metrics`` for Prometheus: behind a token of its own, off without one."""

from __future__ import annotations

import secrets

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cluster import throttle
from cluster.throttle import PER_ADDRESS_METRICS
from cluster.watch.metrics import exposition


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not settings.METRICS_TOKEN:
        raise Http404
    address = str(request.META["REMOTE_ADDR"])
    try:
        refusal = _refusal(request, address)
    except redis.RedisError:
        return _said("The live cache does not answer.", 503)
    if refusal is not None:
        return refusal
    text, content_type = exposition(request.headers.get("Accept", ""))
    return HttpResponse(text, content_type=content_type)


def _refusal(request: HttpRequest, address: str) -> HttpResponse | None:
    """Return why there is nothing for this request; failures are counted like logins."""
    if wait := throttle.waiting(PER_ADDRESS_METRICS, address):
        answer = _said("Too many attempts.", 429)
        answer["Retry-After"] = str(wait)
        return answer
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    right = secrets.compare_digest(token.encode(), settings.METRICS_TOKEN.encode())
    if scheme.lower() == "bearer" and right:
        return None
    throttle.failed(PER_ADDRESS_METRICS, address)
    answer = _said("The token of PIRANHA_METRICS_TOKEN is needed.", 401)
    answer["WWW-Authenticate"] = 'Bearer realm="metrics"'
    return answer


def _said(text: str, status: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain")
