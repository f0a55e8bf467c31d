"""The live table as others would serve it: asked for again and again.

Behind the same middleware, session and log-in as every page of the product.
"""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import include, path

from cluster.lvs.frame import PERIOD
from cluster.models import Cluster
from cluster.views import live_page
from cluster.views.look import ALL, Look

_kept: dict[str, tuple[float, str]] = {}


def rendered(_request: HttpRequest, slug: str) -> HttpResponse:
    """Render the table for everybody who asks."""
    return HttpResponse(_table(slug))


def cached(_request: HttpRequest, slug: str) -> HttpResponse:
    """Render it once a tick, and answer everybody else with the same text."""
    at, html = _kept.get(slug, (0.0, ""))
    if time.monotonic() - at >= PERIOD:
        html = _table(slug)
        _kept[slug] = time.monotonic(), html
    return HttpResponse(html)


def _table(slug: str) -> str:
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    context = live_page.context_of(live_page.load(cluster), Look(opened=(ALL,)))
    return live_page.region("table", context)


urlpatterns = [
    path("bench/rendered/<slug:slug>/", rendered),
    path("bench/cached/<slug:slug>/", cached),
    path("", include("cluster.urls")),
]
