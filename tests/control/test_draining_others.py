"""Drains beside drafts, drift and people: whose change it is."""

from cluster import audit, draft
from cluster.control import draining
from cluster.lvs.drain import Event
from cluster.models import AuditEvent, RealServer, Run
from tests.build import WEB1, WEB2, at
from tests.control.drains import advance, begin, say, serving, weights

__all__ = ["serving"]


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
