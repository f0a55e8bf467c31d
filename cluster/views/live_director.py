"""A director on the live page of its cluster: its sample, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _

from cluster.lvs.frame import PERIOD
from cluster.lvs.settings import SyncDaemon, Timeouts
from cluster.lvs.settings_plan import described
from cluster.models import Host
from cluster.numbers import count
from cluster.watch import board


@dataclass(frozen=True, slots=True)
class Director:
    """A director now. *sample* is None unless it is fresh, *age* that of the newest."""

    host: Host
    sample: Mapping[str, Any] | None
    age: float | None
    vips: tuple[str, ...]

    @property
    def state(self) -> str:
        if self.host.trouble:
            return str(self.host.trouble["kind"]).upper()
        if not self.host.host_key:
            return "KEY_NOT_ACCEPTED"
        if self.sample is None:
            return board.UNKNOWN
        return "ACTIVE" if self.vips else "STANDBY"

    @property
    def entries(self) -> int | None:
        """How many connections its table has, but for templates of persistence."""
        sample = self.sample
        return sample["active"] + sample["inactive"] if sample else None

    @property
    def told(self) -> tuple[str, str]:
        """What moves in the line below the picture: two parts of a sentence."""
        entries = _("%(n)s connections in its table") % {"n": count(self.entries)}
        seconds, every = (self.sample or {}).get("listing") or (0.0, PERIOD)
        if every <= PERIOD:
            return entries, ""
        slowed = _(
            "counters of services every %(every)s s: ipvsadm takes %(seconds)s s to list"
            " them, and watching shall not burden the director"
        ) % {"every": floatformat(every, -1), "seconds": floatformat(seconds, 2)}
        return entries, f" · {slowed}"

    @property
    def seldom(self) -> tuple[object, ...]:
        """What else is in that line."""
        asked = self.sample or {}
        return self.host.name, asked.get("timeouts"), asked.get("daemons")

    @property
    def timeouts(self) -> str:
        found = (self.sample or {}).get("timeouts")
        return described(Timeouts(**found)) if found else ""

    @property
    def sync_daemons(self) -> list[SyncDaemon]:
        found = (self.sample or {}).get("daemons") or []
        return [SyncDaemon.from_json(one) for one in found]

    @property
    def silent(self) -> bool:
        """No numbers, and nobody has found out why yet."""
        return self.sample is None and not self.host.trouble
