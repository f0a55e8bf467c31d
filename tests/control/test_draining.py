"""Drains against hosts in memory: every change of a weight is a run of its own."""

from datetime import timedelta
from ipaddress import ip_address

import pytest
from django.utils import timezone

from cluster import audit, draft, drains
from cluster.audit import Actor
from cluster.control import draining
from cluster.drains import Refused, propose
from cluster.lvs.drain import Choice, Event, NotPossible
from cluster.lvs.drained import records
from cluster.models import AuditEvent, Drain, RealServer, Run
from cluster.models.drains import Moved
from tests.build import WEB1, WEB2, at

MINUTE = timedelta(minutes=1)
CHOICE = Choice(patience=10 * MINUTE)


@pytest.fixture
def serving(lab):
    """The service of the notes, applied, with weights 3 and 3."""
    service = lab.want()
    service.servers.update(weight=3)
    lab.apply()
    return service


def begin(lab, choice=CHOICE, floor=50, address=WEB1, only=(), **more):
    proposal = propose(lab.cluster, ip_address(address), only, floor)
    actor = Actor.of_user(lab.operator)
    return drains.begin(proposal, choice, floor, lab.operator, actor, **more)


def advance(lab, drain):
    draining.advance(drain.pk, lab.connect)
    drain.refresh_from_db()
    return drain.state


def say(lab, drain, event, **more):
    drains.tell(drain, event, lab.operator, Actor.of_user(lab.operator), **more)
    return advance(lab, drain)


def weights(lab, service=None):
    """Return the weights in the kernel by the last part of the address."""
    found = lab.models["lb01"].state.table.by_address[service or at()].servers
    return {str(s.address).rpartition(".")[2]: s.weight for s in found}


def rules(lab):
    return [what for what in lab.models["lb01"].writes if what.startswith("-")]


def late(drain):
    Drain.objects.filter(pk=drain.pk).update(deadline=timezone.now() - MINUTE)
    drain.refresh_from_db()


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


def test_an_unfinished_draft_is_not_applied_along(lab, serving):
    lab.want(vip="10.0.1.40")
    serving.scheduler = "wlc"
    serving.save()
    drain = begin(lab)
    assert advance(lab, drain) == "out"
    kernel = lab.models["lb01"].state.table.by_address
    assert at("10.0.1.40") not in kernel
    assert kernel[at()].scheduler.value == "rr"
    lab.cluster.refresh_from_db()
    edited = {edit.at for edit in draft.draft_edits(lab.cluster)}
    assert edited == {at(), at("10.0.1.40")}, "what others have typed is still there"
    assert lab.cluster.runs.first().revision.number == 3


def test_every_step_is_a_run_in_the_name_of_the_person(lab, serving):
    drain = begin(lab)
    advance(lab, drain)
    runs = lab.cluster.runs.all()[:2]
    assert [run.confirmed_by for run in runs] == [lab.operator] * 2
    confirmed = AuditEvent.objects.filter(
        action="confirmed", run__in=[r.pk for r in runs]
    )
    assert {e.address for e in confirmed} == {f"drain {drain.pk}"}
    assert {e.actor for e in confirmed} == {"li.wei"}
    assert audit.verify()[1] is None
    told = [str(said) for _at, said in drain.account_lines]
    assert told[-1] == "web1 is out"


def test_a_plan_with_more_in_it_waits_for_a_person(lab, serving):
    rule = f"-e -t 10.0.1.31:80 -r {WEB2}:80 -g -w 1\n"
    lab.models["lb01"]._ipvsadm(("-R",), rule)
    drain = begin(lab)
    assert advance(lab, drain) == "paused"
    why = str(drain.why_sentence)
    assert "has more in it than web1" in why
    assert "Change web2" in why
    assert weights(lab) == {"6": 3, "9": 1}, "nothing was sent"
    assert drain.run.state == Run.State.PLANNED
    assert advance(lab, drain) == "paused"
    # The person looks at that plan and finds it good: the drain goes on.
    lab.confirm(drain.run)
    lab.attend(drain.run)
    assert advance(lab, drain) == "out"
    assert weights(lab) == {"9": 3}


def test_drift_of_another_host_waits_for_a_person_too(lab, serving):
    lab.models["web2"].reboot()
    drain = begin(lab)
    assert advance(lab, drain) == "paused"
    assert "web2" in str(drain.why_sentence)
    assert say(lab, drain, Event.LEAVE) == "ended"


def test_a_dead_real_server_can_be_taken_out(lab, serving, dead):
    dead("web1")
    drain = begin(lab)
    assert advance(lab, drain) == "out"
    assert weights(lab) == {"9": 3}


def test_a_refused_rule_pauses_and_bringing_back_mends(lab, serving):
    rule = f"-d -t 10.0.1.31:80 -r {WEB1}:80"
    lab.models["lb01"].refused.add(rule)
    drain = begin(lab)
    assert advance(lab, drain) == "paused"
    assert weights(lab) == {"6": 0, "9": 3}
    lab.models["lb01"].refused.clear()
    assert say(lab, drain, Event.ON) == "out"


def test_a_person_who_lost_the_right_drains_nothing_more(lab, serving):
    drain = begin(lab)
    lab.operator.role = "viewer"
    lab.operator.save()
    assert advance(lab, drain) == "paused"
    assert weights(lab) == {"6": 3, "9": 3}
    assert "may no longer apply" in str(drain.why_sentence)


def test_somebody_brings_it_back_by_hand(lab, serving):
    drain = begin(lab)
    assert advance(lab, drain) == "out"
    assert draining.waiting() == [], "nothing to look after while it is out"
    RealServer.objects.filter(address=WEB1).update(enabled=True)
    lab.apply()
    assert draining.waiting() == [drain.pk]
    assert advance(lab, drain) == "ended"


def test_the_first_run_lets_clients_use_ports_again(lab, serving):
    """Where replies are not seen; visible in the settings, and kept."""
    drain = begin(lab)
    assert drain.reuse
    assert advance(lab, drain) == "out"
    key = "net.ipv4.vs.conn_reuse_mode"
    assert dict(lab.models["lb01"].state.sysctls)[key] == "2"
    lab.cluster.refresh_from_db()
    assert lab.cluster.settings["sysctls"] == {"conn_reuse_mode": "2"}
    assert draft.draft_edits(lab.cluster) == [], "draft and revision agree"
    say(lab, drain, Event.BACK)
    assert not begin(lab).reuse, "it is set already"


def test_a_person_may_keep_the_sysctls(lab, serving):
    drain = begin(lab, reuse=False)
    assert advance(lab, drain) == "out"
    lab.cluster.refresh_from_db()
    assert lab.cluster.settings == {}


def test_a_weight_given_while_it_drains_pauses(lab, serving):
    lab.models["lb01"].connections[f"{WEB1}:80"] = (0, 1)
    drain = begin(lab)
    advance(lab, drain)
    RealServer.objects.filter(address=WEB1).update(weight=2)
    lab.apply()
    assert advance(lab, drain) == "paused"
    assert say(lab, drain, Event.ON) == "draining"
    assert weights(lab) == {"6": 0, "9": 3}


# -- the floor, and several at once ---------------------------------------------------


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
