"""What a director is asked with every 30th frame, because it seldom changes.

Thresholds of real servers, timeouts, and the state of the sync daemons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cluster.lvs.counters import parse_thresholds
from cluster.lvs.facts import FactError, parse_daemons, parse_timeouts
from cluster.lvs.frame import REFUSED
from cluster.lvs.kernel_table import row_key
from cluster.lvs.settings import SyncDaemon, Timeouts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seldom:
    """As last heard; None is "not known". *limits* are upper and lower by row, where
    there is one."""

    limits: Mapping[str, tuple[int, int]] | None = None
    timeouts: Timeouts | None = None
    daemons: tuple[SyncDaemon, ...] | None = None

    def after(self, sections: Mapping[str, bytes]) -> Seldom:
        """Return what is known after a frame; most frames do not say anything."""
        if not sections:
            return self
        return Seldom(
            _parsed(_limits, sections.get("thresholds")),
            _parsed(parse_timeouts, sections.get("timeouts")),
            _parsed(parse_daemons, sections.get("daemons")),
        )

    def as_json(self) -> dict[str, Any]:
        daemons, timeouts = self.daemons, self.timeouts
        return {
            "limits": {key: list(pair) for key, pair in (self.limits or {}).items()},
            "timeouts": None if timeouts is None else timeouts.as_json(),
            "daemons": None if daemons is None else [one.as_json() for one in daemons],
        }


def _parsed(parse: Callable[[str], T], text: bytes | None) -> T | None:
    told = (REFUSED.encode() if text is None else text).decode("utf-8", "replace")
    if told.rstrip().endswith(REFUSED):
        return None
    try:
        return parse(told)
    except (FactError, ValueError, KeyError, IndexError):
        return None


def _limits(text: str) -> dict[str, tuple[int, int]]:
    # /proc does not tell a mark of IPv6 from one of IPv4.
    return {
        row_key(str(service).removesuffix(" IPv6"), server): pair
        for (service, server), pair in parse_thresholds(text).items()
        if any(pair)
    }
