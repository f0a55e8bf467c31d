"""Where things stand in the picture of a cluster: numbers in, numbers and paths out.

Clients on the left, directors in the middle, real servers on the right. Units are those
of the SVG's viewBox. Words, colours and states are none of this module's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

WIDTH = 1120
_EDGE = 18.0
_DIRECTOR_X, _DIRECTOR_WIDTH = 330.0, 260.0
_SERVER_X, _SERVER_WIDTH = 836.0, 266.0
_SERVER_HEIGHT, _SERVER_STEP = 66.0, 76.0
_CLIENTS_X, _CLIENTS_R = 74.0, 44.0
_PILL_HEIGHT, _PILL_STEP, _PILL_WIDTH = 24.0, 30.0, 112.0
_PILLS_A_ROW = 2
_GAP = 8.0  # between two pills
_THINNEST, _THICKEST = 1.5, 9.0
_RETURN_HEIGHT = 52.0


@dataclass(frozen=True, slots=True)
class Box:
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def centre(self) -> float:
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Flow:
    """A line with an arrow: its path, its width and where its number stands.

    Only the width depends on the rate: texts stay where they are.
    """

    path: str
    width: float
    label_x: float
    label_y: float

    @property
    def note_dy(self) -> float:
        """How far below the number a second line of text clears the line."""
        return _THICKEST + 36.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """*pills* are the VIPs of each director, in the order in which they were given.

    *inflow* goes to the acting director, *flows* go from it to each real server; both
    are missing when nobody acts. *reply* is the way back past the director.
    """

    height: float
    clients: tuple[float, float, float]
    directors: tuple[Box, ...]
    pills: tuple[tuple[Box, ...], ...]
    servers: tuple[Box, ...]
    inflow: Flow | None
    flows: tuple[Flow, ...]
    reply: Flow | None


def draw(
    vips: Sequence[int],
    acting: int | None,
    servers: int,
    *,
    replies_pass_by: bool,
    long_names: bool = False,
) -> Drawing:
    """Lay out directors with so many VIPs each, and so many real servers.

    *acting* is the index of the director whose lines are drawn, all of them at their
    thinnest: see ``line_widths``. *replies_pass_by*: direct routing or tunneling is used.
    *long_names*: a VIP needs a row of its own.
    """
    a_row = 1 if long_names else _PILLS_A_ROW
    heights = [_director_height(count, a_row) for count in vips]
    directors_height = sum(heights) + 34.0 * max(len(heights) - 1, 0)
    gap = _SERVER_STEP - _SERVER_HEIGHT
    servers_height = max(servers * _SERVER_STEP - gap, 0.0)
    body = max(directors_height, servers_height, 2 * _CLIENTS_R + 40.0)
    height = body + 2 * _EDGE + (_RETURN_HEIGHT if replies_pass_by else 0.0)
    middle = _EDGE + body / 2
    directors = _stacked(
        _DIRECTOR_X, _DIRECTOR_WIDTH, heights, middle - directors_height / 2, 34.0
    )
    boxes = _stacked(
        _SERVER_X,
        _SERVER_WIDTH,
        [_SERVER_HEIGHT] * servers,
        middle - servers_height / 2,
        gap,
    )
    inflow: Flow | None = None
    flows: tuple[Flow, ...] = ()
    if acting is not None:
        inflow = _inflow(middle, directors[acting])
        flows = tuple(_flow(directors[acting], box) for box in boxes)
    reply = _reply(boxes[-1], middle, height) if replies_pass_by and boxes else None
    return Drawing(
        height=round(height, 1),
        clients=(_CLIENTS_X, round(middle, 1), _CLIENTS_R),
        directors=directors,
        pills=tuple(
            _pills(box, n, a_row) for box, n in zip(directors, vips, strict=True)
        ),
        servers=boxes,
        inflow=inflow,
        flows=flows,
        reply=reply,
    )


def line_widths(rates: Sequence[float | None]) -> tuple[float, ...]:
    """Return widths: the busiest line is the thickest, an idle one the thinnest.

    The square root keeps a quiet server visible beside a busy one.
    """
    most = max((rate for rate in rates if rate), default=0.0)
    span = _THICKEST - _THINNEST
    return tuple(
        round(_THINNEST + span * sqrt(max(rate or 0.0, 0.0) / most), 1)
        if most > 0
        else _THINNEST
        for rate in rates
    )


def inflow_width(widths: Sequence[float]) -> float:
    """Return the width of the line to the director, a little thicker than any of them."""
    return round(min(max(widths, default=_THINNEST) * 1.2, _THICKEST), 1)


def _director_height(vips: int, a_row: int) -> float:
    rows = -(-vips // a_row)
    return 64.0 + (rows * _PILL_STEP + 10.0 if rows else 0.0)


def _stacked(
    x: float, width: float, heights: Sequence[float], top: float, gap: float
) -> tuple[Box, ...]:
    boxes, y = [], top
    for height in heights:
        boxes.append(Box(x, round(y, 1), width, height))
        y += height + gap
    return tuple(boxes)


def _pills(director: Box, count: int, a_row: int) -> tuple[Box, ...]:
    width = _PILL_WIDTH if a_row > 1 else _PILLS_A_ROW * _PILL_WIDTH + _GAP
    return tuple(
        Box(
            director.x + 16.0 + (place % a_row) * (width + _GAP),
            round(director.y + 64.0 + (place // a_row) * _PILL_STEP, 1),
            width,
            _PILL_HEIGHT,
        )
        for place in range(count)
    )


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    bend = (x2 - x1) / 2
    return (
        f"M {x1:g} {y1:g} C {x1 + bend:g} {y1:g}, {x2 - bend:g} {y2:g}, {x2:g} {y2:g}"
    )


def _inflow(middle: float, director: Box) -> Flow:
    start, end = _CLIENTS_X + _CLIENTS_R + 4.0, director.x - 6.0
    path = _curve(start, round(middle, 1), end, director.middle)
    label_y = round((middle + director.middle) / 2 - 14.0 - _THICKEST / 2, 1)
    return Flow(path, _THINNEST, (start + end) / 2, label_y)


def _flow(director: Box, server: Box) -> Flow:
    start, end = director.right + 2.0, server.x - 6.0
    path = _curve(start, director.middle, end, server.middle)
    # On the side from which the line does not come.
    from_above = director.middle < server.middle - 1.0
    gap = 18.0 + _THICKEST / 2 if from_above else -9.0 - _THICKEST / 2
    return Flow(path, _THINNEST, end - 44.0, round(server.middle + gap, 1))


def _reply(server: Box, middle: float, height: float) -> Flow:
    """From the lowest real server back to the clients, past everything."""
    low, end = height - 26.0, middle + _CLIENTS_R + 8.0
    path = (
        f"M {server.centre:g} {server.bottom + 4:g} C {server.centre:g} {low + 30:g}, "
        f"{_CLIENTS_X + 230:g} {low + 8:g}, {_CLIENTS_X + 12:g} {end:g}"
    )
    return Flow(path, _THINNEST, 640.0, round(height - 6.0, 1))
