"""The figures and the picture over the wire: as HTML once, then what moves in them.

The same way as the table (live_table.py): cells in the order of ``[data-n]``. A cell of
a line is its width, of a sparkline the heights of its points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from cluster.lvs.topology import Flow
from cluster.views.kpi import Kpi
from cluster.views.live_table import SAME, Cells, digest, heights
from cluster.views.look import Look
from cluster.views.picture import DrawnServer, Picture

TARGET = "#live-panel"
FIGURES, DRAWING = "live-figures", "live-drawing"
FIGURE_SIZE = (160, 34)


@dataclass(frozen=True, slots=True)
class LivePanel:
    rows: Mapping[str, Cells]
    shapes: tuple[object, ...]
    shape: str

    def news(self, before: LivePanel) -> dict[str, list[str | int]]:
        """Return the cells that are new in a panel of the same shape."""
        return {
            name: [
                now if now != then else SAME
                for now, then in zip(cells, before.rows[name], strict=True)
            ]
            for name, cells in self.rows.items()
            if cells != before.rows[name]
        }


def live_panel(
    kpis: Sequence[Kpi],
    picture: Picture | None,
    look: Look,
    before: LivePanel | None = None,
) -> LivePanel:
    """Return the panel; *before* saves what has not changed."""
    rows: dict[str, Cells] = {FIGURES: tuple(_figures(kpis))}
    if picture:
        rows[DRAWING] = tuple(_drawing(picture))
    still = _still(picture) if picture else None
    labels = tuple((kpi.label, len(kpi.values) > 1) for kpi in kpis)
    shapes = (labels, still, look)
    same = before is not None and before.shapes == shapes
    return LivePanel(rows, shapes, before.shape if before and same else digest(shapes))


# New every ten seconds, and asked for with every tick.
_line = lru_cache(maxsize=256)(heights)


def _figures(kpis: Sequence[Kpi]) -> Iterator[str]:
    for kpi in kpis:
        yield kpi.value
        yield _line(kpi.values, FIGURE_SIZE)


def _drawing(picture: Picture) -> Iterator[str]:
    """Yield what moves, in the order of _picture.svg.html."""
    if picture.inflow:
        yield from (str(picture.inflow.width), picture.rate, picture.incoming)
    for server in picture.servers:
        if server.flow:
            yield from (str(server.flow.width), server.rate)
        yield server.detail


def _still(picture: Picture) -> Picture:
    """Return the picture without what moves."""
    servers = tuple(map(_still_server, picture.servers))
    inflow = _still_flow(picture.inflow)
    return replace(picture, servers=servers, inflow=inflow, rate="", incoming="")


def _still_server(server: DrawnServer) -> DrawnServer:
    return replace(server, detail="", rate="", flow=_still_flow(server.flow))


def _still_flow(flow: Flow | None) -> Flow | None:
    return replace(flow, width=0.0) if flow else None
