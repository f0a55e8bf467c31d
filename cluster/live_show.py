"""What the audience of a live page gets: rendered once, as messages of the stream.

The id of a message is ``NUMBER.SHAPE``: whoever comes back with the shape of the table
that is still there needs new numbers, and no HTML of it (see views/live_table.py).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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
SMALL = ("chips", "top")
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

    *quiet* tells whether they have changed, see ``Live.quiet``. *panel_html* is that of
    the panel, *services* of the services whose shape has changed, *whole* of the whole
    table; they are rendered only when somebody needs them.
    """

    number: int = 0
    regions: Mapping[str, str] = field(default_factory=dict)
    quiet: tuple[object, ...] | None = None
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
    html = _Html(live, look)
    table = live_table(live.lines, look, live.is_long, before.table)
    reshaped = table.reshaped(before.table) if before.table else []
    is_new = reshaped is None or any(shape != table.shape for shape in shapes)
    panel = live_panel.live_panel(live, look, before.panel)
    seen = before.panel and before.panel.shape
    quiet = live.quiet
    is_same = quiet is not None and quiet == before.quiet
    return Show(
        number=before.number + 1,
        quiet=quiet,
        regions=before.regions
        if is_same
        else {f"#live-{name}": html.region(name) for name in SMALL},
        panel=panel,
        panel_html=html.region("panel") if shapes or panel.shape != seen else "",
        table=table,
        services=html.services(table, reshaped) if reshaped else "",
        whole=html.region("table") if is_new else "",
        point=_point(live),
    )


@dataclass
class _Html:
    """Of a page, what is asked for: mostly nothing."""

    live: live_page.Live
    look: Look

    @cached_property
    def context(self) -> dict[str, Any]:
        return live_page.context_of(self.live, self.look)

    def region(self, name: str) -> str:
        return live_page.region(name, self.context)

    def services(self, table: LiveTable, names: Sequence[str]) -> str:
        lines = [table.bodies[name].line for name in names]
        context = {**self.context, "lines": lines}
        return render_to_string("cluster/_live_services.html", context)


def _point(live: live_page.Live) -> dict[str, Any] | None:
    """Return the point of the newest sample: what does not come is not drawn again."""
    times = [director.sample["at"] for director in live.directors if director.sample]
    if not times:
        return None
    values = [live.totals["conns"], live.totals["active"]]
    return {"graph": "#graph", "t": max(times) // PERIOD * PERIOD, "values": values}
