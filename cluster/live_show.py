"""What the audience of a live page gets: rendered once, as messages of the stream.

The id of a message is ``NUMBER.SHAPE``: whoever comes back with the shape of the table
that is still there needs new numbers, and no HTML of it (see views/live_table.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation

from cluster.kept import KeptRows
from cluster.lvs.frame import PERIOD
from cluster.models import Cluster
from cluster.views import graph_live, live_page, live_panel
from cluster.views.graph_look import GraphLook
from cluster.views.live_panel import LivePanel
from cluster.views.live_table import TARGET, LiveTable, live_table
from cluster.views.look import Look

# What is so small, or so seldom another, that it is sent as HTML.
SMALL = ("chips", "top", "facts")
clusters = KeptRows(lambda cluster: Cluster.objects.filter(pk=cluster))


# What was read of each cluster: the same for every look and language.
Loaded = dict[int, live_page.Live]


@dataclass(frozen=True, slots=True)
class Audience:
    """People who see the same: a live page, or only the newest point of graphs."""

    cluster: int
    language: str
    look: Look | GraphLook


@dataclass(frozen=True, slots=True)
class Show:
    """One tick of an audience. *regions* are what is sent as HTML whenever it changes.

    *panel_html* is that of the panel, *services* of the services whose shape has changed,
    *whole* of the whole table; they are rendered only when somebody needs them.
    """

    number: int = 0
    regions: Mapping[str, str] = field(default_factory=dict)
    panel: LivePanel | None = None
    panel_html: str = ""
    table: LiveTable | None = None
    services: str = ""
    whole: str = ""
    point: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        return f"{self.number}.{self.table.shape if self.table else ''}"

    def news(self, before: Show) -> bytes:
        """Return the message for those who have seen *before*."""
        events = _changed(self.regions, before.regions)
        if self.panel and before.panel:
            events += self._panel_news(self.panel, before.panel)
        if self.table and before.table:
            events += self._table_news(self.table, before.table)
        # Even when nothing has changed: that, too, is news, of a certain age.
        return self._message(events or [("tick", None)])

    def everything(self, shape: str = "") -> bytes:
        """Return the message for somebody who has a table of this shape, or nothing."""
        events = _changed(self.regions, {})
        if self.panel_html:
            events.append(_html(live_panel.TARGET, self.panel_html))
        if self.table and self.table.shape == shape:
            events.append(("rows", {"target": TARGET, "rows": self.table.rows()}))
        elif self.table:
            events.append(_html(TARGET, self.whole))
        return self._message(events or [("tick", None)])

    def _panel_news(self, now: LivePanel, then: LivePanel) -> list[tuple[str, Any]]:
        if now.shape != then.shape:
            return [_html(live_panel.TARGET, self.panel_html)]
        rows = now.news(then)
        return [("rows", {"target": live_panel.TARGET, "rows": rows})] if rows else []

    def _table_news(self, now: LiveTable, then: LiveTable) -> list[tuple[str, Any]]:
        if self.whole and now.reshaped(then) is None:
            return [_html(TARGET, self.whole)]
        events: list[tuple[str, Any]] = []
        if self.services:
            events.append(("services", {"target": TARGET, "html": self.services}))
        if rows := now.rows(then):
            events.append(("rows", {"target": TARGET, "rows": rows}))
        return events

    def _message(self, events: list[tuple[str, Any]]) -> bytes:
        if self.point:
            events = [*events, ("point", self.point)]
        texts = [
            f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n"
            for name, data in events
        ]
        # Only with the last one: what is cut off in between comes once more.
        return "\n".join([*texts[:-1], f"id: {self.id}\n{texts[-1]}\n"]).encode()


def _html(target: str, html: str) -> tuple[str, Any]:
    return "html", {"target": target, "html": html}


def _changed(now: Mapping[str, str], then: Mapping[str, str]) -> list[tuple[str, Any]]:
    return [_html(at, html) for at, html in now.items() if then.get(at) != html]


def render(
    audience: Audience, before: Show, shapes: Collection[str], loaded: Loaded
) -> Show | None:
    """Return the next show; None: the cluster is gone.

    *shapes* are the tables that people have who join now, *loaded* is what was read for
    others in the same moment.
    """
    found = clusters(audience.cluster)
    if not found:
        return None
    cluster = found[0]
    with translation.override(audience.language):
        if isinstance(audience.look, GraphLook):
            point = graph_live.newest(cluster, audience.look)
            return Show(before.number + 1, point=point)
        live = loaded.get(cluster.pk)
        if live is None:
            live = loaded[cluster.pk] = live_page.load(cluster)
        return _live(live, audience.look, before, shapes)


def _live(
    live: live_page.Live, look: Look, before: Show, shapes: Collection[str]
) -> Show:
    context = live_page.context_of(live, look)
    table = live_table(live.lines, look, live.is_long, before.table)
    reshaped = table.reshaped(before.table) if before.table else []
    whole = services = ""
    if reshaped is None or any(shape != table.shape for shape in shapes):
        whole = live_page.region("table", context)
    if reshaped:
        lines = [table.bodies[name].line for name in reshaped]
        services = render_to_string(
            "cluster/_live_services.html", {**context, "lines": lines}
        )
    regions = {f"#live-{n}": live_page.region(n, context) for n in SMALL}
    panel = live_panel.live_panel(
        context["kpis"], context["picture"], look, before.panel
    )
    seen = before.panel and before.panel.shape
    return Show(
        number=before.number + 1,
        regions=regions,
        panel=panel,
        panel_html=live_page.region("panel", context)
        if shapes or panel.shape != seen
        else "",
        table=table,
        services=services,
        whole=whole,
        point=_point(live, time.time()),
    )


def _point(live: live_page.Live, now: float) -> dict[str, Any] | None:
    totals = live.totals
    if totals["active"] is None:
        return None
    values = [totals["conns"], totals["active"]]
    return {"graph": "#graph", "t": now // PERIOD * PERIOD, "values": values}
