"""The newest point of a graphs page: from the last reading of each director."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import isnan
from typing import Any

from cluster.models import Cluster, Reading
from cluster.views import graph_data
from cluster.views.graph_look import SUM, GraphLook
from cluster.watch import packing
from cluster.watch.levels import RAW
from cluster.watch.packing import REPLIES, VALUES, Row, Series
from cluster.watch.points import AT_ONCE, CARRIES, LATE


def newest(cluster: Cluster, look: GraphLook) -> dict[str, Any] | None:
    """Return the event ``point`` of the stream, None when nothing is known now.

    The values go by the label of their line: the page knows which lines it has.
    """
    if not look.is_live:
        return None
    readings = _readings([h.pk for h in graph_data.directors_of(cluster, look)])
    if not readings:
        return None
    at = max(at for at, _data in readings)
    if look.shown == SUM:
        values = _values(readings, [look.series])
        charts = {
            kind.name: {str(label): values[value] for value, label in kind.values}
            for kind in graph_data.KINDS
        }
    else:
        charts = _parts(cluster, look, readings)
    return {"graph": "#graphs", "t": round(at, 3), "charts": charts}


def _parts(
    cluster: Cluster, look: GraphLook, readings: Sequence[tuple[float, bytes]]
) -> dict[str, Any]:
    group, names = look.parts_group or "", graph_data.labels(cluster)
    found = dict.fromkeys(n for _, d in readings for n in packing.names_of(d, group))
    rows = {
        graph_data.label_of(name, names): _values(readings, [(group, name)])
        for name in found
        if name
    }
    return {
        kind.name: {label: row[kind.values[0][0]] for label, row in rows.items()}
        for kind in graph_data.SPLIT_KINDS
    }


def _readings(directors: Sequence[int]) -> list[tuple[float, bytes]]:
    """Return the newest reading of each director, by the rule of ``points.summed``:
    none, when one is silent that carried something and the others carry nothing."""
    now = time.time()
    fresh: list[tuple[float, bytes]] = []
    silent: list[tuple[float, bytes]] = []
    for pk in directors:
        rows = Reading.objects.filter(director=pk, at__gt=now - RAW.span)
        newest = rows.order_by("-at").values_list("at", "data").first()
        if newest is not None:
            some = fresh if newest[0] > now - LATE else silent
            some.append((newest[0], bytes(newest[1])))
    return [] if _carry(silent) and not _carry(fresh) else fresh


def _carry(readings: Sequence[tuple[float, bytes]]) -> bool:
    values = _values(readings, [packing.TOTAL])
    return any(values[name] for name in CARRIES)


def _values(
    readings: Sequence[tuple[float, bytes]], series: Sequence[Series]
) -> dict[str, float | None]:
    """Add up over the directors; what none of them knows is None."""
    rows: list[Row] = []
    for _at, data in readings:
        for one in series:
            row = packing.row(data, one)
            if row is not None:
                rows.append(row)
    found: dict[str, float | None] = {}
    into, out = (VALUES.index(name) for name in ("in_packets", "out_packets"))
    conns = VALUES.index("conns")
    # One that carries something has begun to count: zeros of others are not all there is.
    begins = any(
        isnan(row[conns]) and any(row[VALUES.index(name)] for name in AT_ONCE)
        for row in rows
    )
    blind = any(isnan(row[out]) and not isnan(row[into]) for row in rows)
    for n, name in enumerate(VALUES):
        known = [row[n] for row in rows if not isnan(row[n])]
        if blind and name in REPLIES and not any(known):
            known = []
        if begins and name not in AT_ONCE and not any(known):
            known = []
        found[name] = round(sum(known), 2) if known else None
    return found
