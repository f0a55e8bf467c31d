"""The states of a drain: what leads where, and what no order of events can break."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.drain import (
    FINAL,
    TRANSITIONS,
    Choice,
    Drain,
    Event,
    Left,
    NotPossible,
    State,
    due,
    follow,
    is_empty,
    stairs_for,
)
from tests.build import at

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ASK = Choice(patience=10 * MINUTE)
CUT = Choice(patience=10 * MINUTE, cut=True)
STAY = Choice(patience=10 * MINUTE, take_out=False)
SLOW = Choice(patience=10 * MINUTE, slow_start=5 * MINUTE)


def drain(state, choice=ASK, **more):
    return Drain(state, choice, since=NOON, **more)


def draining(choice=ASK):
    return follow(drain(State.QUIESCING, choice), Event.APPLIED, NOON)


def walk(start, *events, now=NOON):
    for event in events:
        start = follow(start, event, now)
    return start


S, E = State, Event
WALKS = [
    # the usual way, out and back
    (ASK, [E.ROOM, E.APPLIED, E.EMPTY, E.APPLIED, E.BACK, E.APPLIED], S.RESTORED),
    (ASK, [E.ROOM, E.APPLIED, E.EMPTY, E.APPLIED], S.OUT),
    # nobody is cut off that nobody wanted to cut off
    (ASK, [E.ROOM, E.APPLIED, E.DEADLINE], S.OVERDUE),
    (ASK, [E.ROOM, E.APPLIED, E.DEADLINE, E.EMPTY], S.REMOVING),
    (ASK, [E.ROOM, E.APPLIED, E.DEADLINE, E.CUT], S.REMOVING),
    (ASK, [E.ROOM, E.APPLIED, E.DEADLINE, E.LONGER], S.DRAINING),
    (CUT, [E.ROOM, E.APPLIED, E.CUT, E.APPLIED], S.OUT),
    # it stays at weight 0: there is nothing to remove
    (STAY, [E.ROOM, E.APPLIED, E.EMPTY], S.OUT),
    (STAY, [E.ROOM, E.APPLIED, E.CUT], S.OUT),
    # cancel is bring back, from wherever it is
    (ASK, [E.BACK], S.CANCELLED),
    (ASK, [E.ROOM, E.BACK], S.RAISING),
    (ASK, [E.ROOM, E.APPLIED, E.BACK], S.RAISING),
    (ASK, [E.ROOM, E.APPLIED, E.EMPTY, E.BACK], S.RAISING),
    (ASK, [E.ROOM, E.FAILED, E.BACK, E.APPLIED], S.RESTORED),
    # it pauses, and goes on with what was interrupted
    (ASK, [E.ROOM, E.FAILED], S.PAUSED),
    (ASK, [E.ROOM, E.FAILED, E.ON], S.QUIESCING),
    (ASK, [E.ROOM, E.APPLIED, E.EMPTY, E.FAILED, E.ON], S.REMOVING),
    (ASK, [E.ROOM, E.APPLIED, E.EMPTY, E.FAILED, E.APPLIED], S.OUT),
    (ASK, [E.ROOM, E.APPLIED, E.MOVED, E.ON], S.QUIESCING),
    (ASK, [E.ROOM, E.APPLIED, E.EMPTY, E.APPLIED, E.BACK, E.FAILED], S.PAUSED),
    (ASK, [E.ROOM, E.FAILED, E.LEAVE], S.ENDED),
    (ASK, [E.ROOM, E.APPLIED, E.EMPTY, E.APPLIED, E.RETURNED], S.ENDED),
]


@pytest.mark.parametrize(("choice", "events", "end"), WALKS)
def test_a_walk(choice, events, end):
    assert walk(drain(State.WAITING, choice), *events).state is end


AIMS = [
    (drain(State.QUIESCING), Fraction(0)),
    (drain(State.DRAINING), Fraction(0)),
    (drain(State.REMOVING), None),
    (drain(State.OUT), None),
    (drain(State.OUT, STAY), Fraction(0)),
    (drain(State.RAISING, SLOW, stairs=5, level=2), Fraction(2, 5)),
    (drain(State.RAISING, level=1), Fraction(1)),
    (drain(State.PAUSED, interrupted=State.REMOVING), None),
    (drain(State.PAUSED, interrupted=State.QUIESCING), Fraction(0)),
]


@pytest.mark.parametrize(("one", "aim"), AIMS)
def test_the_weight_that_a_state_wants(one, aim):
    assert one.aim == aim


def test_the_clock_of_the_deadline_starts_when_the_weight_is_0():
    begun = drain(State.QUIESCING)
    late = follow(begun, Event.APPLIED, NOON + MINUTE)
    assert late.started == NOON + MINUTE
    assert late.deadline == NOON + 11 * MINUTE


def test_an_interruption_does_not_move_the_deadline():
    paused = follow(draining(), Event.MOVED, NOON + MINUTE)
    again = walk(paused, Event.ON, Event.APPLIED, now=NOON + 5 * MINUTE)
    assert (again.started, again.deadline) == (NOON, NOON + 10 * MINUTE)


def test_more_time_counts_from_now():
    late = follow(draining(), Event.DEADLINE, NOON + 10 * MINUTE)
    more = follow(late, Event.LONGER, NOON + 12 * MINUTE, 3 * MINUTE)
    assert more.deadline == NOON + 15 * MINUTE
    assert more.started == NOON


NONE, SOME, UNKNOWN = Left(at(), 0), Left(at(), 3), Left(at(), None)
HELD = Left(at(), 0, templates=2)
NO_TEMPLATES_KNOWN = Left(at(), 0, templates=None)
EMPTY = [
    ([], True),
    ([NONE], True),
    ([NONE, SOME], False),
    ([HELD], False),
    ([UNKNOWN], None),
    ([SOME, UNKNOWN], None),
    ([NONE, NO_TEMPLATES_KNOWN], None),
    ([Left(at(), 1, templates=None)], False),
]


@pytest.mark.parametrize(("left", "empty"), EMPTY)
def test_not_known_is_not_0(left, empty):
    assert is_empty(left) is empty


SOON, LATE = NOON + MINUTE, NOON + 10 * MINUTE
OVERDUE = replace(draining(), state=State.OVERDUE)
DUE = [
    (draining(), SOON, [NONE], Event.EMPTY),
    (draining(), SOON, [SOME], None),
    (draining(), SOON, [HELD], None),
    (draining(), LATE, [SOME], Event.DEADLINE),
    (draining(CUT), LATE, [SOME], Event.CUT),
    # what is not known holds the drain, the deadline included
    (draining(), SOON, [UNKNOWN], None),
    (draining(), LATE, [UNKNOWN], None),
    (draining(CUT), LATE, [UNKNOWN], None),
    (OVERDUE, LATE, [SOME], None),
    (OVERDUE, LATE, [NONE], Event.EMPTY),
    (drain(State.OUT), LATE, [NONE], None),
    (drain(State.PAUSED, interrupted=State.QUIESCING), LATE, [NONE], None),
    (drain(State.QUIESCING), LATE, [NONE], None),
]


@pytest.mark.parametrize(("one", "now", "left", "event"), DUE)
def test_what_comes_to_pass_by_itself(one, now, left, event):
    assert due(one, now, left) is event


def test_a_slow_start_waits_after_each_step():
    out = drain(State.OUT, SLOW, stairs=5)
    up = follow(out, Event.BACK, NOON)
    assert (up.aim, up.makes_run) == (Fraction(1, 5), True)
    assert due(up, NOON + 60 * MINUTE, []) is None, "its run is not made yet"
    up = follow(up, Event.APPLIED, NOON + 2 * MINUTE)
    assert (up.state, up.makes_run) == (State.RAISING, False)
    assert up.next_step_at == NOON + 3 * MINUTE
    assert due(up, NOON + 2.9 * MINUTE, []) is None
    assert due(up, NOON + 3 * MINUTE, []) is Event.STEP
    seen = [up.aim]
    while up.state is State.RAISING:
        up = walk(up, Event.STEP, Event.APPLIED)
        seen.append(up.aim)
    assert seen[:4] == [Fraction(n, 5) for n in (1, 2, 3, 4)]
    assert up.state is State.RESTORED


@pytest.mark.parametrize(
    ("slow", "weights", "stairs"),
    [(0, [100], 1), (1, [100], 5), (1, [3, 2], 3), (1, [1], 1), (1, [], 1)],
)
def test_how_often_a_weight_can_be_divided(slow, weights, stairs):
    assert stairs_for(slow * MINUTE, weights) == stairs


def test_what_has_no_meaning_is_refused():
    for state, known in TRANSITIONS.items():
        for event in set(Event) - set(known):
            with pytest.raises(NotPossible):
                follow(drain(state, interrupted=State.REMOVING), event, NOON)


choices = st.builds(
    Choice,
    st.integers(0, 90).map(lambda n: n * MINUTE),
    cut=st.booleans(),
    take_out=st.booleans(),
    slow_start=st.sampled_from([0 * MINUTE, 5 * MINUTE]),
)
tries = st.lists(st.tuples(st.sampled_from(Event), st.integers(0, 20)), max_size=40)


def assert_nothing_is_lost(one, after):
    assert after.choice == one.choice
    assert one.state not in FINAL
    assert one.started in (None, after.started)
    assert (after.interrupted is not None) == (after.state is State.PAUSED)
    assert after.aim is None or 0 <= after.aim <= 1


def assert_cut_was_wanted(one, after, event):
    """By a person or at the start; or nobody is left. A pause goes back to it."""
    if after.state is State.REMOVING:
        assert after.choice.take_out
        asked = event in (Event.EMPTY, Event.CUT)
        assert asked or one.interrupted is State.REMOVING


@given(choices, tries)
def test_no_order_of_events_leads_astray(choice, tried):
    """Whatever comes in whatever order: the start and the way out are never lost."""
    stairs = stairs_for(choice.slow_start, [3])
    one = Drain(State.WAITING, choice, NOON, stairs=stairs)
    now, quiesced = NOON, False
    for event, minutes in tried:
        now += minutes * MINUTE
        try:
            after = follow(one, event, now)
        except NotPossible:
            continue
        quiesced |= after.state is State.DRAINING
        assert_nothing_is_lost(one, after)
        assert_cut_was_wanted(one, after, event)
        if quiesced:
            assert None not in (after.started, after.deadline)
        assert due(after, now, [UNKNOWN]) in (None, Event.STEP)
        one = after
    if not one.is_final and one.state is not State.RAISING:
        assert Event.BACK in TRANSITIONS[one.state]
