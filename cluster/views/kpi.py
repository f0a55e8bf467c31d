"""One of the figures at the top of a live page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kpi:
    """*value* as people read it, *values* the line below it."""

    label: str
    value: str
    values: Sequence[float]
