"""The live table as it goes over the wire: once as HTML, then only cells that change.

A **shape** is everything about the table but its numbers. As long as it stays, a tick
is a list of new cells; where the shape of one service changes, its rows are sent as
HTML, and only when services come, go or move, the whole table is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from django.template.loader import render_to_string

from cluster import sparkline
from cluster.lvs.kernel_table import row_key
from cluster.numbers import Style, here
from cluster.views.look import Look
from cluster.watch.board import Numbers, ServerLine, ServiceLine

TARGET = "#live-table"
SPARK_SIZE = (92, 22)
# In a list of cells: this one is as it was.
SAME = 0
# Heights as text: a few hundred, and thousands are sent every ten seconds.
_TENTHS = tuple(f"{tenths / 10:g}" for tenths in range(500))
Cells = tuple[str, ...]
Raw = tuple[object, ...]


@lru_cache(maxsize=20_000)
def row_id(key: str) -> str:
    """Return the id of a row's element: short, and safe in HTML and JSON."""
    return "r" + blake2b(key.encode(), digest_size=6).hexdigest()


def body_id(key: str) -> str:
    return "s" + row_id(key)


@dataclass(frozen=True, slots=True)
class Row:
    """The numbers of one row, and the same as people read them."""

    raw: Raw
    cells: Cells

    @classmethod
    def of(
        cls, numbers: Numbers, totals: bool, before: Row | None, style: Style
    ) -> Row:
        raw = _totals(numbers) if totals else _rates(numbers)
        if before is not None and before.raw == raw:
            return before
        if totals:
            return cls(raw, _total_cells(raw, style))
        return cls(raw, _rate_cells(raw, before, style))

    def news(self, before: Row | None) -> list[str | int]:
        """Return the cells with ``SAME`` where nothing is new, ``[]`` when all is the same."""
        if before is self:
            return []
        if before is None:
            return list(self.cells)
        if before.cells == self.cells:
            return []
        pairs = zip(self.cells, before.cells, strict=True)
        return [now if now != then else SAME for now, then in pairs]


def _rates(numbers: Numbers) -> Raw:
    rates = numbers.rates
    conns, incoming, out = (rates[0], rates[3], rates[4]) if rates else (None,) * 3
    return (
        numbers.active,
        numbers.inactive,
        conns,
        incoming,
        None if numbers.blind else out,
        numbers.spark,
    )


def _rate_cells(raw: Any, before: Row | None, style: Style) -> Cells:
    active, inactive, conns, incoming, out, spark = raw
    # A line gets a point every 10 s, not with each tick.
    drawn = before is not None and before.raw[-1] == spark
    return (
        style.count(active),
        style.count(inactive),
        style.rate(conns),
        style.bytes_rate(incoming),
        style.bytes_rate(out),
        before.cells[-1] if before and drawn else heights(spark, SPARK_SIZE),
    )


def heights(spark: Sequence[float], size: tuple[int, int]) -> str:
    """Return the points without what the browser can tell itself: their distance."""
    if len(spark) < 2:
        return ""
    points = sparkline.heights(spark, size[1])
    return " ".join([_TENTHS[round(10 * point)] for point in points])


def _totals(numbers: Numbers) -> Raw:
    totals: list[int | None] = [None] * 5
    if numbers.totals:
        totals = [*numbers.totals]
    if numbers.blind:
        totals[2] = totals[4] = None
    return (numbers.active, numbers.inactive, *totals)


def _total_cells(raw: Any, style: Style) -> Cells:
    return tuple(map(style.count, raw))


@dataclass(frozen=True, slots=True)
class Body:
    """A virtual service with the rows that are shown of it."""

    line: ServiceLine
    shape: tuple[object, ...]
    rows: Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class LiveTable:
    """*bodies* by the id of their element, in the order of the table.

    *shape* is a digest of *shapes*, short enough for the id of a message.
    """

    bodies: Mapping[str, Body]
    shapes: tuple[object, ...]
    shape: str

    def html(self, context: Mapping[str, Any]) -> str:
        return render_to_string("cluster/_live_table.html", dict(context))

    def rows(self, before: LiveTable | None = None) -> dict[str, list[str | int]]:
        """Return new cells by row; all of them without a *before*."""
        return dict(self._rows(before))

    def _rows(self, before: LiveTable | None) -> Iterator[tuple[str, list[str | int]]]:
        for name, body in self.bodies.items():
            known = before.bodies.get(name) if before else None
            for row, now in body.rows.items():
                news = now.news(known.rows.get(row) if known else None)
                if news:
                    yield row, news

    def reshaped(self, before: LiveTable) -> list[str] | None:
        """Return the bodies whose HTML is another one; None: the whole table is."""
        if self.shape == before.shape:
            return []
        if list(self.bodies) != list(before.bodies):
            return None
        changed = [
            name
            for name, body in self.bodies.items()
            if body.shape != before.bodies[name].shape
        ]
        # Nothing of the rows: the head or the folding is another one.
        return changed or None


def live_table(
    lines: tuple[ServiceLine, ...],
    look: Look,
    folded: bool,
    before: LiveTable | None = None,
) -> LiveTable:
    """Return the table of these lines; *before* saves what has not changed."""
    bodies, style = {}, here()
    for line in lines:
        name = body_id(line.key)
        known = before.bodies.get(name) if before else None
        opened = not folded or look.shows(line.key)
        bodies[name] = _body(line, look, opened, known, style)
    shapes = (look, folded, *(body.shape for body in bodies.values()))
    same = before is not None and before.shapes == shapes
    return LiveTable(
        bodies, shapes, before.shape if before and same else digest(shapes)
    )


def digest(shapes: tuple[object, ...]) -> str:
    return blake2b(repr(shapes).encode(), digest_size=6).hexdigest()


def _body(
    line: ServiceLine, look: Look, opened: bool, before: Body | None, style: Style
) -> Body:
    known = before.rows if before else {}
    own = row_id(line.key)
    rows = {own: Row.of(line.numbers, look.totals, known.get(own), style)}
    servers = line.servers if opened else ()
    for server in servers:
        name = row_id(row_key(line.key, server.at))
        rows[name] = Row.of(server.numbers, look.totals, known.get(name), style)
    shape = (
        line.key,
        line.title,
        line.row.pk if line.row else None,
        line.row.name if line.row else "",
        line.scheduler,
        line.persistence,
        line.persistent,
        line.state,
        line.largest_weight,
        opened,
        _numbers_shape(line.numbers),
        *map(_server_shape, line.servers),
    )
    return Body(line, shape, rows)


def _server_shape(server: ServerLine) -> tuple[object, ...]:
    return (
        server.at,
        server.name,
        server.method,
        server.weight,
        server.state,
        server.unheard,
        _numbers_shape(server.numbers),
    )


def _numbers_shape(numbers: Numbers) -> tuple[object, ...]:
    """Return what decides about a link, a word, a line to draw in, and a limit."""
    drawn = len(numbers.spark) > 1
    return numbers.active is None, numbers.blind, drawn, numbers.limits
