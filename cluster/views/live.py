"""The live page of a cluster, its polling fallback and its graph."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cluster.models import Cluster
from cluster.views import live_page
from cluster.views.live_table import live_table
from cluster.views.look import SPANS, Look
from cluster.watch import history
from cluster.watch.board import WORST_FIRST
from cluster.watch.packing import TOTAL, series_of
from piranha_web.origins import events_base


@require_safe
@never_cache
def cluster(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    look = Look.of(request.GET)
    live = live_page.load(found)
    fragment = look.for_fragment.query
    shape = live_table(live.lines, look.for_fragment, live.is_long).shape
    seen = ("&" if fragment else "?") + urlencode({"last_event_id": f"0.{shape}"})
    context = live_page.context_of(live, look) | {
        # Points of the stream are the whole cluster's: a row's graph has another id.
        "graph_id": "row-graph" if look.row else "graph",
        "row_states": WORST_FIRST,
        "spans": [(span, _span_words(span)) for span in SPANS],
        "stream_url": events_base(request)
        + reverse("cluster:cluster_events", args=[slug])
        + fragment
        + seen,
        "poll_url": reverse("cluster:cluster_live", args=[slug]) + fragment,
        "graph_url": reverse("cluster:graph_data", args=[slug]) + look.query,
    }
    return render(request, "cluster/cluster.html", context)


@require_safe
@never_cache
def cluster_live(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer with what changes, for browsers that cannot have the stream."""
    found = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    look = Look.of(request.GET).for_fragment
    parts = live_page.regions(live_page.load(found), look)
    return HttpResponse("".join(parts.values()))


@require_safe
@never_cache
def graph_data(request: HttpRequest, slug: str) -> JsonResponse:
    """Answer with connections per second and active ones, for the graph."""
    found = get_object_or_404(Cluster, slug=slug)
    look, now = Look.of(request.GET), time.time()
    directors = list(found.hosts.directors().values_list("pk", flat=True))
    group, name = series_of(look.row) if look.row else TOTAL
    read = history.read(directors, group, [name], now - look.span, now)
    points = read[name]
    labels = {"conns": _("Connections per second"), "active": _("Active connections")}
    # Nothing at all is no line of gaps: the page then says that there are no samples.
    at = [] if points.is_empty else points.at
    series = [
        {"label": label, "unit": "", "values": points.traces[value].mean[: len(at)]}
        for value, label in labels.items()
    ]
    return JsonResponse({"t": at, "series": series})


def _span_words(seconds: int) -> str:
    if seconds < 3600:
        return _("%(n)d min") % {"n": seconds // 60}
    return _("%(n)d h") % {"n": seconds // 3600}
