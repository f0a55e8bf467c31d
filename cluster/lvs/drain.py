"""Draining a real server: its states, and what leads from one to the next.

A drain takes one real server out of one or more virtual services without cutting off a
client, and brings it back. Nothing here has a clock or does anything: the moment and
what was seen come in, the next state comes out. Whoever holds the row acts
(``control/draining.py``). Every state is stored with the moment since when it is, so any
process may die: the next one goes on from the row, with the deadline that was set at the
start.

                      ROOM               APPLIED              EMPTY, CUT
    WAITING ---------------> QUIESCING ----------> DRAINING -------------> REMOVING
       |                         |                  |    ^                    |
       | BACK               MOVED, FAILED  DEADLINE |    | LONGER             | APPLIED
       v                         v                  v    |       EMPTY, CUT   v
    CANCELLED                 PAUSED <--------    OVERDUE ------------------> OUT
                                 |                                            |
                                 | BACK      (BACK from every state between)  | BACK
                                 v                                            v
    ENDED <-- LEAVE (PAUSED, OUT)       RESTORED <-- APPLIED, the last -- RAISING

WAITING    The floor does not allow it yet, because other real servers are out. Nothing
           was sent. It begins by itself when there is room.
QUIESCING  A run sets weight 0 in every service of the drain, all of them at once.
DRAINING   The weight is 0: no new connections. Active connections are counted until
           there are none. Only active ones: a closed connection stays in the table for
           two minutes (FIN_WAIT), and nobody is served by waiting for it.
           With persistence the kernel goes on sending clients here that hold a template,
           weight 0 or not, unless ``expire_quiescent_template`` is 1. So templates
           are waited for as well, where that sysctl is not 1.
           What is not known is no 0: it holds the drain, the deadline included.
OVERDUE    The deadline has passed with connections left, and the choice at the start
           was to ask. A person cuts, gives more time, or brings back; when the last
           connection ends meanwhile, the drain goes on by itself.
REMOVING   A run takes the server out of the table. What is left is cut off: with
           ``expire_nodest_conn`` 1 at once by a reset, else packets are dropped in
           silence. Left out when the choice was to stay at weight 0.
OUT        Done; the host is free for maintenance. The old weight is kept.
RAISING    Runs bring the server back with its old weight, or with a part of it that
           grows (slow start). Each step waits for its time after the one before is in
           force, so a delay never makes two steps one.
PAUSED     Something was not as expected: a run failed, a plan had more in it than this
           server, somebody changed the weight. It says why and waits for a person, who
           goes on (ON) with what was interrupted, brings back, or leaves it as it is.
RESTORED, CANCELLED, ENDED  Over.

A state that *makes a run* (``aim`` is not None) gets exactly one of APPLIED and FAILED
from it. A person may say BACK while such a run is on its way; the run that brings back
is made when that one has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction

from cluster.lvs.table import ServiceAddress

# A slow start has so many steps; fewer when the weight cannot be divided so often.
STAIRS = 5


class State(Enum):
    WAITING = "waiting"
    QUIESCING = "quiescing"
    DRAINING = "draining"
    OVERDUE = "overdue"
    REMOVING = "removing"
    OUT = "out"
    RAISING = "raising"
    PAUSED = "paused"
    RESTORED = "restored"
    CANCELLED = "cancelled"
    ENDED = "ended"


FINAL = (State.RESTORED, State.CANCELLED, State.ENDED)
# Weight 0 or about to be: new connections are not counted on.
AWAY = (
    State.QUIESCING,
    State.DRAINING,
    State.OVERDUE,
    State.REMOVING,
    State.OUT,
    State.PAUSED,
)


class Event(Enum):
    """The first eight are found out, the others said by a person."""

    ROOM = "the floor is kept"
    APPLIED = "the run has converged"
    FAILED = "the run has ended otherwise, or may not be confirmed"
    MOVED = "somebody gave the server a weight"
    EMPTY = "nobody is left"
    DEADLINE = "the deadline has passed, and somebody is left"
    STEP = "it is time for the next step up"
    RETURNED = "somebody brought it back by hand"
    CUT = "do not wait any longer"
    LONGER = "wait longer"
    BACK = "bring it back"
    ON = "go on"
    LEAVE = "leave it as it is"


_BETWEEN = {Event.BACK: State.RAISING}
TRANSITIONS: dict[State, dict[Event, State]] = {
    State.WAITING: {Event.ROOM: State.QUIESCING, Event.BACK: State.CANCELLED},
    State.QUIESCING: _BETWEEN
    | {Event.APPLIED: State.DRAINING, Event.FAILED: State.PAUSED},
    State.DRAINING: _BETWEEN
    | {
        Event.EMPTY: State.REMOVING,
        Event.CUT: State.REMOVING,
        Event.DEADLINE: State.OVERDUE,
        Event.LONGER: State.DRAINING,
        Event.MOVED: State.PAUSED,
    },
    State.OVERDUE: _BETWEEN
    | {
        Event.EMPTY: State.REMOVING,
        Event.CUT: State.REMOVING,
        Event.LONGER: State.DRAINING,
        Event.MOVED: State.PAUSED,
    },
    State.REMOVING: _BETWEEN | {Event.APPLIED: State.OUT, Event.FAILED: State.PAUSED},
    State.OUT: _BETWEEN | {Event.RETURNED: State.ENDED, Event.LEAVE: State.ENDED},
    State.RAISING: {
        Event.STEP: State.RAISING,
        Event.APPLIED: State.RAISING,  # RESTORED after the last step
        Event.FAILED: State.PAUSED,
    },
    # APPLIED: a person has confirmed the very run that made it pause.
    State.PAUSED: _BETWEEN
    | {
        Event.ON: State.PAUSED,  # what was interrupted
        Event.APPLIED: State.PAUSED,  # what follows that
        Event.LEAVE: State.ENDED,
    },
    **{state: {} for state in FINAL},
}


class NotPossible(ValueError):
    """An event that has no meaning in this state."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen at the start.

    *patience* lasts from weight 0 to the deadline; *cut* says what happens then with
    connections that are left: cut them, or stop and ask. *take_out* is False when the
    server shall stay in the table at weight 0. *slow_start* 0 brings it back at once.
    """

    patience: timedelta
    cut: bool = False
    take_out: bool = True
    slow_start: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Drain:
    """A drain at one moment.

    *since* is when the state began, in RAISING when the step was in force that is now.
    *started* is when weight 0 was verified. *level* counts the steps of a slow start
    that were asked for, *risen* is whether the newest of them is in force.
    """

    state: State
    choice: Choice
    since: datetime
    started: datetime | None = None
    deadline: datetime | None = None
    interrupted: State | None = None
    stairs: int = 1
    level: int = 0
    risen: bool = False

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def makes_run(self) -> bool:
        """Whether a run is to be made, or on its way, for this very state."""
        return self.state in (State.QUIESCING, State.REMOVING) or (
            self.state is State.RAISING and not self.risen
        )

    @property
    def aim(self) -> Fraction | None:
        """Which part of its old weight the server shall have; None: none of the table.

        For states that make a run, and in between what the last one has reached.
        """
        state = self.interrupted if self.state is State.PAUSED else self.state
        if state is State.REMOVING:
            return None
        if state is State.OUT and self.choice.take_out:
            return None
        if state is State.RAISING:
            return Fraction(self.level, self.stairs)
        return Fraction(0)

    @property
    def next_step_at(self) -> datetime | None:
        """When the next step of a slow start is due; None when there is none."""
        if self.state is not State.RAISING or not self.risen:
            return None
        return self.since + self.choice.slow_start / self.stairs


def stairs_for(slow_start: timedelta, weights: Iterable[int]) -> int:
    """Return in how many steps weights can rise; 1 is at once."""
    largest = max(weights, default=0)
    return max(1, min(STAIRS, largest)) if slow_start else 1


def follow(
    drain: Drain, event: Event, now: datetime, more: timedelta | None = None
) -> Drain:
    """Return the drain after the event; raises NotPossible.

    *more* is the time that LONGER gives, counted from now.
    """
    if event not in TRANSITIONS[drain.state]:
        raise NotPossible(f"{event.name} in state {drain.state.name}")
    if drain.state is State.PAUSED and event in (Event.ON, Event.APPLIED):
        again = replace(drain, state=drain.interrupted or State.QUIESCING)
        again = replace(again, interrupted=None)
        if event is Event.ON:
            return replace(again, since=now)
        return follow(again, event, now)
    if drain.state is State.RAISING and event is not Event.FAILED:
        return _climb(drain, event, now)
    state = TRANSITIONS[drain.state][event]
    after = replace(drain, state=state, since=now, interrupted=None)
    return _entered(drain, after, now, more)


def _entered(
    before: Drain, after: Drain, now: datetime, more: timedelta | None
) -> Drain:
    match after.state:
        case State.DRAINING if before.state is State.QUIESCING:
            # A drain that was interrupted keeps the start and the deadline it had.
            started = before.started or now
            deadline = before.deadline or now + before.choice.patience
            return replace(after, started=started, deadline=deadline)
        case State.DRAINING:
            return replace(after, deadline=now + (more or before.choice.patience))
        case State.REMOVING if not before.choice.take_out:
            return replace(after, state=State.OUT)
        case State.PAUSED:
            moved = before.state in (State.DRAINING, State.OVERDUE)
            again = State.QUIESCING if moved else before.state
            return replace(after, interrupted=again, risen=False)
        case State.RAISING:
            return replace(after, level=1, risen=False)
    return after


def _climb(drain: Drain, event: Event, now: datetime) -> Drain:
    if event is Event.STEP:
        if not drain.risen:
            raise NotPossible("STEP before the one below is in force")
        return replace(drain, level=drain.level + 1, risen=False)
    if drain.risen:
        raise NotPossible("APPLIED without a run")
    if drain.level >= drain.stairs:
        return replace(drain, state=State.RESTORED, since=now, risen=True)
    return replace(drain, since=now, risen=True)


# -- what is left ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """What one service still has on the server; None is "not known".

    *templates* are the clients that persistence binds to it, counted only where they
    hold: 0 without persistence, and where ``expire_quiescent_template`` is 1.
    """

    at: ServiceAddress
    active: int | None
    templates: int | None = 0

    @property
    def is_empty(self) -> bool | None:
        """False as soon as somebody is known to be left; None while it is not known."""
        if self.active or self.templates:
            return False
        if self.active is None or self.templates is None:
            return None
        return True


def is_empty(left: Iterable[Left]) -> bool | None:
    """Return whether nobody is left anywhere; None while that is not known."""
    found = [one.is_empty for one in left]
    if None in found:
        return None
    return all(found)


def due(drain: Drain, now: datetime, left: Iterable[Left]) -> Event | None:
    """Return what has come to pass by itself; None while there is nothing but to wait.

    Not for what a run or a person does, nor for WAITING, which asks for the floor.
    """
    if drain.state is State.RAISING:
        step_at = drain.next_step_at
        return Event.STEP if step_at is not None and now >= step_at else None
    if drain.state not in (State.DRAINING, State.OVERDUE):
        return None
    empty = is_empty(left)
    if empty is None:
        return None
    if empty:
        return Event.EMPTY
    late = drain.deadline is not None and now >= drain.deadline
    if drain.state is State.DRAINING and late:
        return Event.CUT if drain.choice.cut else Event.DEADLINE
    return None
