"""What pages show of a drain, from its row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from cluster.lvs.drain import TRANSITIONS, State
from cluster.models import Drain

COUNTING = (State.DRAINING, State.OVERDUE)


@dataclass(frozen=True, slots=True)
class Line:
    """One service of a drain: weight before, and who is left; None is not known."""

    at: str
    weights: str
    active: int | None
    templates: int | None


@dataclass(frozen=True, slots=True)
class ShownDrain:
    """A drain at one moment, with what a person may say to it."""

    row: Drain
    now: datetime

    @classmethod
    def of(cls, row: Drain) -> ShownDrain:
        return cls(row, timezone.now())

    @property
    def state(self) -> State:
        return State(self.row.state)

    @property
    def may(self) -> set[str]:
        """The names of the events that have a meaning now."""
        return {event.name for event in TRANSITIONS[self.state]}

    @property
    def counts(self) -> bool:
        return self.state in COUNTING

    @property
    def age(self) -> float:
        """Whole seconds since it has come into its state."""
        return max(0.0, (self.now - self.row.since).total_seconds() // 1)

    @property
    def remaining(self) -> float | None:
        """Seconds to the deadline; None when none runs."""
        if self.state is not State.DRAINING or self.row.deadline is None:
            return None
        return max(0.0, (self.row.deadline - self.now).total_seconds())

    @property
    def next_step_in(self) -> float | None:
        step_at = self.row.value.next_step_at
        return max(0.0, (step_at - self.now).total_seconds()) if step_at else None

    @property
    def percent(self) -> int:
        """The share of its old weight that it is asked to have, while it comes back."""
        return self.row.level * 100 // self.row.stairs

    @property
    def known(self) -> bool:
        return bool(self.row.seen.get("known"))

    @property
    def total(self) -> int:
        return int(self.row.seen.get("total", 0))

    @property
    def most(self) -> int:
        return max(1, int(self.row.seen.get("most", 0)))

    @property
    def gone(self) -> int:
        return self.most - min(self.total, self.most)

    @property
    def counted_at(self) -> datetime | None:
        at = self.row.seen.get("at")
        return datetime.fromisoformat(at) if at else None

    @property
    def keep_coming(self) -> str:
        return ", ".join(self.row.seen.get("keep_coming", ()))

    @property
    def lines(self) -> list[Line]:
        seen = {
            at: (active, held) for at, active, held in self.row.seen.get("left", ())
        }
        return [
            Line(
                str(service.at),
                ", ".join(str(server.weight) for server in service.servers),
                *seen.get(str(service.at), (None, None)),
            )
            for service in self.row.table.services
        ]

    @property
    def polls(self) -> bool:
        return not self.row.is_final
