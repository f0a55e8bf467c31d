"""A row of numbers as the points of a small SVG line. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

_MARGIN = 2.0


class Sparkline(NamedTuple):
    line: str
    area: str
    width: int
    height: int


def sparkline(values: Sequence[float], width: int, height: int) -> Sparkline:
    """Return the points; a flat row lies at the bottom, as "nothing moves" does."""
    if len(values) < 2:
        return Sparkline("", "", width, height)
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = width / (len(values) - 1)
    usable = height - 2 * _MARGIN
    points = [
        f"{i * step:.1f},{height - _MARGIN - (value - low) / span * usable:.1f}"
        for i, value in enumerate(values)
    ]
    line = " ".join(points)
    return Sparkline(line, f"0,{height} {line} {width},{height}", width, height)
