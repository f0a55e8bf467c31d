"""Figures, picture and facts over the wire: as HTML once, then what moves in them.

The same way as the table (live_table.py): cells in the order of ``[data-n]``. A cell of
a line is its width, of a sparkline the heights of its points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cluster.views.kpi import Kpi
from cluster.views.live_page import Live, figures_of, picture_of
from cluster.views.live_table import SAME, Cells, digest, heights
from cluster.views.look import Look
from cluster.views.picture import Picture

TARGET = "#live-panel"
FIGURES, DRAWING, FACTS = "live-figures", "live-drawing", "live-facts"
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


def live_panel(live: Live, look: Look, before: LivePanel | None = None) -> LivePanel:
    """Return the panel; *before* saves what has not changed."""
    figures, drawn = figures_of(live), picture_of(live, look)
    rows: dict[str, Cells] = {
        FIGURES: tuple(_figures(figures)),
        FACTS: tuple(part for director in live.loaded for part in director.told),
    }
    if drawn:
        rows[DRAWING] = tuple(_drawing(drawn))
    shapes = (
        tuple((figure.label, len(figure.values) > 1) for figure in figures),
        drawn.still if drawn else None,
        tuple(director.seldom for director in live.loaded),
        look,
    )
    same = before is not None and before.shapes == shapes
    return LivePanel(rows, shapes, before.shape if before and same else digest(shapes))


# New every ten seconds, and asked for with every tick.
_line = lru_cache(maxsize=256)(heights)


def _figures(figures: Sequence[Kpi]) -> Iterator[str]:
    for figure in figures:
        yield figure.value
        yield _line(figure.values, FIGURE_SIZE)


def _drawing(picture: Picture) -> Iterator[str]:
    """Yield what moves, in the order of _picture.svg.html."""
    if picture.inflow:
        yield from (str(picture.inflow.width), picture.rate, picture.incoming)
    for server in picture.servers:
        if server.flow:
            yield from (str(server.flow.width), server.rate)
        yield server.detail
