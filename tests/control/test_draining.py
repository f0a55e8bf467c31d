"""Drains against hosts in memory: every change of a weight is a run of its own."""

import pytest
from django.utils import timezone

from cluster.lvs.drain import Choice, Event
from cluster.models import Drain, RealServer
from tests.build import WEB1
from tests.control.drains import MINUTE, advance, begin, late, say, serving, weights

__all__ = ["serving"]


def test_a_server_without_connections_goes_at_once_and_comes_back(lab, serving):
    before = lab.states()
    drain = begin(lab, reuse=False)
    assert advance(lab, drain) == "out"
    assert weights(lab) == {"9": 3}
    assert "10.0.1.31" not in str(lab.models["web1"].state.addresses)
    row = RealServer.objects.get(address=WEB1)
    assert (row.enabled, row.weight) == (False, 3)
    assert lab.cluster.changed_services() == [], "draft and revision agree"
    assert say(lab, drain, Event.BACK) == "restored"
    assert lab.states() == before
    assert lab.cluster.changed_services() == []
    assert weights(lab) == {"6": 3, "9": 3}


def test_connections_are_waited_for_with_weight_0(lab, serving):
    lab.models["lb01"].connections[f"{WEB1}:80"] = (0, 4)
    drain = begin(lab)
    assert advance(lab, drain) == "draining"
    assert weights(lab) == {"6": 0, "9": 3}
    assert drain.deadline == drain.started_at + 10 * MINUTE
    assert drain.seen["left"] == [["TCP 10.0.1.31:80", 4, 0]]
    assert advance(lab, drain) == "draining"
    lab.models["lb01"].connections[f"{WEB1}:80"] = (0, 1)
    assert advance(lab, drain) == "draining"
    assert (drain.seen["total"], drain.seen["most"]) == (1, 4)
    lab.models["lb01"].connections.clear()
    assert advance(lab, drain) == "out"


@pytest.mark.parametrize(("expire", "state"), [("0", "draining"), ("1", "out")])
def test_templates_are_waited_for_where_they_hold(lab, serving, expire, state):
    serving.persistence = 300
    serving.save()
    lab.apply()
    lab.models["lb01"].templates_expire = expire
    lab.models["lb01"].connections[f"{WEB1}:80"] = (2, 0)
    drain = begin(lab)
    assert advance(lab, drain) == state
    if expire == "0":
        assert drain.seen["left"] == [["TCP 10.0.1.31:80", 0, 2]]
        assert drain.seen["keep_coming"] == ["TCP 10.0.1.31:80"]


def test_the_deadline_asks_or_cuts_as_was_chosen(lab, serving):
    lab.models["lb01"].connections[f"{WEB1}:80"] = (0, 1)
    drain = begin(lab)
    advance(lab, drain)
    late(drain)
    assert advance(lab, drain) == "overdue"
    assert say(lab, drain, Event.LONGER, more=5 * MINUTE) == "draining"
    assert drain.deadline > timezone.now() + 4 * MINUTE
    assert say(lab, drain, Event.CUT) == "out"
    say(lab, drain, Event.BACK)

    drain = begin(lab, Choice(10 * MINUTE, cut=True))
    advance(lab, drain)
    late(drain)
    assert advance(lab, drain) == "out"
    assert weights(lab) == {"9": 3}


def test_it_may_stay_at_weight_0(lab, serving):
    drain = begin(lab, Choice(10 * MINUTE, take_out=False))
    assert advance(lab, drain) == "out"
    assert weights(lab) == {"6": 0, "9": 3}
    assert lab.cluster.changed_services() == []
    assert say(lab, drain, Event.BACK) == "restored"
    assert weights(lab) == {"6": 3, "9": 3}


def test_what_is_not_known_holds_the_drain(lab, serving, dead):
    lab.models["lb01"].connections[f"{WEB1}:80"] = (0, 1)
    drain = begin(lab, Choice(10 * MINUTE, cut=True))
    advance(lab, drain)
    dead("lb01")
    late(drain)
    assert advance(lab, drain) == "draining"
    assert "lb01 does not answer" in str(drain.why_sentence)
    assert drain.seen["known"] is False
    lab.down.clear()
    assert advance(lab, drain) == "out"


def test_a_weight_that_somebody_set_by_hand_is_not_counted_as_drained(lab, serving):
    lab.models["lb01"].connections[f"{WEB1}:80"] = (0, 1)
    drain = begin(lab)
    advance(lab, drain)
    lab.models["lb01"].connections.clear()
    rule = f"-e -t 10.0.1.31:80 -r {WEB1}:80 -g -w 2\n"
    lab.models["lb01"]._ipvsadm(("-R",), rule)
    assert advance(lab, drain) == "draining"
    assert "has weight 2 for it" in str(drain.why_sentence)


@pytest.mark.slow
def test_slow_start_rises_in_steps(lab, serving):
    drain = begin(lab, Choice(10 * MINUTE, slow_start=3 * MINUTE))
    assert advance(lab, drain) == "out"
    assert say(lab, drain, Event.BACK) == "raising"
    seen = [weights(lab)["6"]]
    assert advance(lab, drain) == "raising", "the next step has its time"
    assert weights(lab)["6"] == seen[0]
    for _step in range(2):
        Drain.objects.filter(pk=drain.pk).update(since=timezone.now() - MINUTE)
        advance(lab, drain)
        seen.append(weights(lab)["6"])
    assert seen == [1, 2, 3]
    assert drain.state == "restored"
    assert RealServer.objects.get(address=WEB1).weight == 3


def test_cancelled_before_the_end_it_has_its_weight_again(lab, serving):
    lab.models["lb01"].connections[f"{WEB1}:80"] = (0, 1)
    drain = begin(lab)
    advance(lab, drain)
    assert say(lab, drain, Event.BACK) == "restored"
    assert weights(lab) == {"6": 3, "9": 3}
    assert lab.models["web1"].state.addresses, "the VIP was never taken off"


# -- whose change it is ---------------------------------------------------------------
