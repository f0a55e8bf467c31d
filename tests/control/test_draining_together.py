"""Several drains, the floor, several workers, and workers that die."""

from ipaddress import ip_address

import pytest

from cluster import draft
from cluster.control import draining
from cluster.drains import Refused
from cluster.lvs.drain import Choice, Event, NotPossible
from cluster.lvs.drained import records
from cluster.models import Drain, RealServer, Run
from cluster.models.drains import Moved
from tests.build import WEB1, WEB2, at
from tests.control.drains import MINUTE, advance, begin, rules, say, serving, weights

__all__ = ["serving"]


def refused(lab, **more):
    with pytest.raises(Refused) as error:
        begin(lab, **more)
    return str(error.value)


def test_the_last_one_stays(lab, serving):
    advance(lab, begin(lab))
    said = refused(lab, address=WEB2, floor=0)
    assert "no real server left that takes new connections" in said
    assert Drain.objects.count() == 1


def test_below_the_floor_is_refused_with_the_reason(lab, serving):
    assert "its floor is 60 %" in refused(lab, floor=60)
    assert not Drain.objects.exists()


def test_a_second_one_waits_for_the_first_to_come_back(lab, serving):
    first = begin(lab)
    advance(lab, first)
    second = begin(lab, address=WEB2, may_wait=True)
    assert advance(lab, second) == "waiting"
    assert "no real server left" in str(second.why_sentence)
    assert say(lab, first, Event.BACK) == "restored"
    assert advance(lab, second) == "out"
    assert weights(lab) == {"6": 3}


def test_one_that_can_never_be_drained_may_not_wait_for_it(lab, serving):
    assert "its floor is 60 %" in refused(lab, floor=60, may_wait=True)


def test_two_that_begin_at_the_same_time_do_not_empty_the_service(lab, serving):
    first = begin(lab)
    assert "no real server left" not in str(first.state)
    second = begin(lab, address=WEB2, may_wait=True)
    states = [advance(lab, second), advance(lab, first)]
    assert sorted(states) == ["out", "waiting"]
    assert sum(w > 0 for w in weights(lab).values()) == 1


def test_a_server_has_one_drain_at_a_time(lab, serving):
    advance(lab, begin(lab))
    assert "has a drain already: out" in refused(lab)


def test_a_change_that_is_not_applied_must_be_settled_first(lab, serving):
    RealServer.objects.filter(address=WEB1).update(weight=9)
    assert "has a change that is not applied" in refused(lab)


def test_one_of_two_services(lab, serving):
    lab.want(vip="10.0.1.40")
    lab.apply()
    drain = begin(lab, only=[at("10.0.1.40")])
    assert advance(lab, drain) == "out"
    assert weights(lab) == {"6": 3, "9": 3}
    assert weights(lab, at("10.0.1.40")) == {"9": 1}
    everything = records(draft.applied_table(lab.cluster), ip_address(WEB1))
    assert [s.at for s in everything.services] == [at()]


def test_all_services_go_in_one_run(lab, serving):
    lab.want(vip="10.0.1.40")
    lab.apply()
    runs = Run.objects.count()
    drain = begin(lab, Choice(10 * MINUTE, take_out=False))
    assert advance(lab, drain) == "out"
    assert Run.objects.count() == runs + 1
    assert weights(lab)["6"] == weights(lab, at("10.0.1.40"))["6"] == 0


# -- several workers, and workers that die --------------------------------------------


def test_who_comes_second_does_nothing(lab, serving):
    drain = begin(lab)
    stale = Drain.objects.get(pk=drain.pk)
    advance(lab, drain)
    runs = Run.objects.count()
    with pytest.raises(Moved):
        draining._when_there_is_room(stale)
    assert Run.objects.count() == runs


def test_a_run_in_other_hands_is_waited_for(lab, serving):
    drain = begin(lab)
    held = "8c5ee6e8-3ad5-4d7c-9f0c-0a3b3a4d6f11"
    draining._when_there_is_room(Drain.objects.get(pk=drain.pk))
    draining._make_run(Drain.objects.get(pk=drain.pk))
    drain.refresh_from_db()
    assert Run.objects.claim(drain.run_id, held)
    assert advance(lab, drain) == "quiescing"
    Run.objects.release(drain.run_id, held)
    assert advance(lab, drain) == "out"


def test_another_run_goes_first(lab, serving):
    serving.scheduler = "wlc"
    serving.save()
    other = lab.plan()
    lab.confirm(other)
    drain = begin(lab)
    assert advance(lab, drain) == "quiescing"
    assert f"Run {other} is in progress" in str(drain.why_sentence)
    lab.attend(other)
    assert advance(lab, drain) == "out"


def test_a_plan_that_went_stale_is_made_again(lab, serving):
    drain = begin(lab)
    one = Drain.objects.get(pk=drain.pk)
    draining._when_there_is_room(one)
    draining._make_run(one)
    Run.objects.filter(pk=one.run_id).update(state=Run.State.STALE)
    assert advance(lab, drain) == "out"


@pytest.mark.parametrize("moment", range(1, 9))
def test_a_worker_dies_at_any_moment_and_the_next_one_goes_on(lab, serving, moment):
    """The same end, and no command twice."""
    drain = begin(lab)
    moved = [0]

    class Died(Exception):
        pass

    step = draining._advance

    def dying(one, connect):
        moved[0] += 1
        if moved[0] == moment:
            raise Died
        return step(one, connect)

    before = len(rules(lab))
    draining._advance = dying
    try:
        with pytest.raises(Died):
            draining.advance(drain.pk, lab.connect)
    finally:
        draining._advance = step
    started = Drain.objects.get(pk=drain.pk).started_at
    assert advance(lab, drain) == "out"
    assert started in (None, drain.started_at), "it resumes from the stored start"
    assert [rule[:2] for rule in rules(lab)[before:]] == ["-e", "-d"]


def test_what_a_person_may_not_say(lab, serving):
    drain = begin(lab)
    advance(lab, drain)
    for event in (Event.ON, Event.CUT, Event.LONGER, Event.EMPTY):
        with pytest.raises(NotPossible):
            say(lab, drain, event)
