"""What a measure yields: a number with its spread, and the target that it is held to."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class CannotRun(Exception):
    """Something is missing that a measure needs; the text says what."""


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for the median. *least* False: the value must not be above it."""

    bound: float
    least: bool

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.least else value <= self.bound

    def text(self, unit: str) -> str:
        return f"at {'least' if self.least else 'most'} {number(self.bound)} {unit}"


def at_least(bound: float) -> Target:
    return Target(bound, least=True)


def at_most(bound: float) -> Target:
    return Target(bound, least=False)


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report: *values* has the number of every round.

    *note* says what a reader must know beside it ("scaled from 300 rules"); *details*
    is whatever else should stand in the JSON.
    """

    name: str
    values: Sequence[float]
    target: Target
    unit: str
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool:
        return self.target.is_met(self.median)

    @property
    def line(self) -> str:
        spread = f"[{number(min(self.values))}-{number(max(self.values))}]"
        value = f"{number(self.median)} {spread} {self.unit}"
        target = self.target.text(self.unit)
        note = f"({self.note})  " if self.note else ""
        word = "ok" if self.is_met else "short"
        return f"{self.name:<28}  {value:<36}  {target:<34}  {note}{word}"

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "values": list(self.values),
            "median": self.median,
            "unit": self.unit,
            "target": self.target.text(self.unit),
            "note": self.note,
            "ok": self.is_met,
            "details": dict(self.details),
            "line": self.line,
        }


def missed(name: str, why: str) -> dict[str, Any]:
    """Return the entry of a measure that gave no result."""
    told = " ".join(why.split())[:300]
    line = f"{name:<28}  no result: {told}  short"
    return {"name": name, "ok": False, "why": why, "line": line}


def number(value: float) -> str:
    """Return three significant digits without an exponent: 4.51, 0.0123, 622,000."""
    if not value:
        return "0"
    rounded = float(f"{value:.3g}")
    if abs(rounded) >= 100:
        return f"{rounded:,.0f}"
    return f"{rounded:.6f}".rstrip("0").rstrip(".")
