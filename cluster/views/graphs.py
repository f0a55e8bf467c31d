"""The graphs of a cluster: the page, its points as JSON and as CSV."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cluster.models import Cluster
from cluster.views import graph_data, graph_live, graph_marks
from cluster.views.audit import harmless
from cluster.views.graph_data import Graphs
from cluster.views.graph_look import (
    DIRECTOR,
    RANGES,
    SERVER,
    SHOWS,
    GraphLook,
    written,
)
from piranha_web.origins import events_base

TABLE_ROWS = 60


@require_safe
@never_cache
def graphs(request: HttpRequest, slug: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster, slug=slug)
    now = time.time()
    look = GraphLook.read(request.GET, now)
    found = graph_data.read(cluster, look, now)
    since, until = look.window(now)
    directors = graph_data.directors_of(cluster, look)
    events = graph_marks.marks(cluster, since, until)
    context = {
        "cluster": cluster,
        "look": look,
        "graphs": found,
        "directors": directors,
        "since": datetime.fromtimestamp(since, UTC),
        "until": datetime.fromtimestamp(until, UTC),
        "marks": list(enumerate(events, start=1))[::-1],
        "gaps": graph_marks.gaps(directors, look, found.whole, now),
        "began": began(found, since),
        "rows": [
            (datetime.fromtimestamp(at, UTC), cells)
            for at, cells in graph_data.thinned(found, TABLE_ROWS)
        ],
        "columns": [
            (chart.kind.title, line.label)
            for chart in found.charts
            for line in chart.lines
        ],
        **links(cluster, look, now),
        **addresses(request, cluster, look),
    }
    return render(request, "cluster/graphs.html", context)


def began(found: Graphs, since: float) -> datetime | None:
    """Return when the line begins, None when it covers the range from its start."""
    if found.is_empty:
        return None
    known = found.whole.traces["active"].mean
    first = next(at for at, v in zip(found.at, known, strict=True) if v is not None)
    return (
        datetime.fromtimestamp(first, UTC) if first - since > 2 * found.step else None
    )


def addresses(
    request: HttpRequest, cluster: Cluster, look: GraphLook
) -> dict[str, str]:
    def of(name: str) -> str:
        return reverse(f"cluster:{name}", args=[cluster.slug]) + look.query

    return {
        "data_url": of("graphs_data"),
        "csv_url": of("graphs_csv"),
        "poll_url": of("graphs_point"),
        "stream_url": events_base(request) + of("graphs_events"),
    }


def links(cluster: Cluster, look: GraphLook, now: float) -> dict[str, Any]:
    """Return what can be chosen, each as a link: the page works without scripts."""
    return {
        "ranges": [
            (words, look.of_range(name).query, not look.is_free and name == look.range)
            for name, (_seconds, words) in RANGES.items()
        ],
        "shows": [
            (words, look.showing(name).query, name == look.shown)
            for name, words in SHOWS.items()
        ],
        "earlier": look.moved(now, -0.5).query,
        "later": look.moved(now, 0.5).query if look.is_free else "",
        "wider": look.moved(now, 0, 2).query,
        "local_query": look.in_utc(utc=False).query,
        "utc_query": look.in_utc(utc=True).query,
        "subjects": subjects(cluster, look),
    }


def subjects(
    cluster: Cluster, look: GraphLook
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return groups of (value, words) for the list of what can be looked at."""
    hosts = list(cluster.hosts.all())
    rows = cluster.services.all()
    services = [(str(row.at), f"{row}  {row.name}".strip()) for row in rows]
    directors = [(f"{DIRECTOR}{h}", h.name) for h in hosts if h.is_director]
    servers = [
        (f"{SERVER}{h.address}", f"{h.name}  {h.address}")
        for h in hosts
        if h.role == h.Role.REAL_SERVER
    ]
    groups = [
        (_("Cluster"), [("", cluster.name)]),
        (_("Virtual services"), services),
        (_("Real servers, in all services"), servers),
        (_("Directors"), directors),
    ]
    if look.of not in {value for _label, some in groups for value, _words in some}:
        # A real server in one service, or what is not wanted any more but has history.
        groups.append((_("Chosen"), [(look.of, look.of)]))
    return [(label, some) for label, some in groups if some]


@require_safe
@never_cache
def graphs_data(request: HttpRequest, slug: str) -> JsonResponse:
    """Answer with all lines, marks and gaps, for ``graphs.js``."""
    cluster = get_object_or_404(Cluster, slug=slug)
    now = time.time()
    look = GraphLook.read(request.GET, now)
    found = graph_data.read(cluster, look, now)
    since, until = look.window(now)
    events = graph_marks.marks(cluster, since, until)
    return JsonResponse(
        {
            "t": found.at,
            "step": found.step,
            "since": since,
            "until": until,
            "stacked": look.shown == "stack",
            "charts": {
                chart.kind.name: {
                    "unit": chart.kind.unit,
                    "lines": [line.as_json() for line in chart.lines],
                }
                for chart in found.charts
            },
            "marks": [{"t": m.at, "tone": m.tone, "text": m.text} for m in events],
            "gaps": found.whole.gaps(),
        }
    )


@require_safe
@never_cache
def graphs_point(request: HttpRequest, slug: str) -> JsonResponse:
    """Answer with the newest point, for browsers that cannot have the stream."""
    cluster = get_object_or_404(Cluster, slug=slug)
    look = GraphLook.read(request.GET, time.time())
    point = graph_live.newest(cluster, look)
    events: list[dict[str, Any]] = [{"event": "tick", "data": None}]
    events += [{"event": "point", "data": point}] if point else []
    return JsonResponse(events, safe=False)


@require_safe
@never_cache
def graphs_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Answer with the points as they are drawn; unknown is an empty cell, never 0."""
    cluster = get_object_or_404(Cluster, slug=slug)
    now = time.time()
    look = GraphLook.read(request.GET, now)
    found = graph_data.read(cluster, look, now)
    name = slugify(f"{cluster.slug} {look.of} {written(now)}")
    return StreamingHttpResponse(
        csv_lines(found),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


class _Line:
    """What csv writes to: hands the text back instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def csv_lines(found: Graphs) -> Iterator[str]:
    writer = csv.writer(_Line())
    heads, columns = ["time"], []
    for chart in found.charts:
        unit = f" ({chart.kind.unit})" if chart.kind.unit else ""
        for line in chart.lines:
            title = str(chart.kind.title)
            label = title if line.label == title else f"{title} {line.label}"
            heads.append(harmless(label + unit))
            columns.append(line.values)
    yield writer.writerow(heads)
    for n, at in enumerate(found.at):
        values = ("" if column[n] is None else column[n] for column in columns)
        yield writer.writerow([written(at), *values])
