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
    step = width / (len(values) - 1)
    line = " ".join(
        f"{i * step:.1f},{y:.1f}" for i, y in enumerate(heights(values, height))
    )
    return Sparkline(line, f"0,{height} {line} {width},{height}", width, height)


def heights(values: Sequence[float], height: int) -> list[float]:
    """Return how far below the upper edge each point lies."""
    low, high = min(values), max(values)
    usable = (height - 2 * _MARGIN) / ((high - low) or 1.0)
    bottom = height - _MARGIN
    return [bottom - (value - low) * usable for value in values]
