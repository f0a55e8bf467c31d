"""A director that was built by hand becomes ours without one command."""

from dataclasses import replace

import pytest

from cluster import adopting, review
from cluster.audit import Actor
from cluster.control import comparing
from cluster.lvs import safety, words
from cluster.lvs.boot_place import BootPlace
from cluster.lvs.change import Phase
from cluster.lvs.parts import Scope
from cluster.lvs.real_server import ARP_SYSCTLS
from cluster.lvs.settings import Settings, Timeouts
from cluster.models import Comparison, Run
from tests.build import at, eth_vip, lo_route, lo_vip
from tests.control.test_comparing import WEIGHT_5, observe, row

BY_HAND = (
    "-A -t 10.0.1.31:80 -s wlc -p 300",
    "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 3",
    "-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1",
    "-a -t 10.0.1.31:80 -r 10.0.1.77:80 -g -w 1",
)


@pytest.fixture
def lab(lab):
    """The cluster of the notes by hand: nobody has installed our units there."""
    for model in lab.models.values():
        model.state = replace(model.state, boot=BootPlace())
    lab.before = lab.states()
    for rule in BY_HAND:
        assert lab.models["lb01"]._rule(rule)
    lab.models["lb01"]._change("add", "addresses", eth_vip(number=4))
    for name in ("web1", "web2"):
        lab.models[name]._change("add", "addresses", lo_vip())
        lab.models[name]._change("add", "routes", lo_route())
        words = [f"{key}={value}" for key, value in ARP_SYSCTLS]
        lab.models[name]._sysctl(("-q", "-w", *words), "")
    for model in lab.models.values():
        model.writes.clear()
    lab.cluster.keep_revision(lab.cluster.wish().as_json(), None)
    observe(lab)
    return lab


@pytest.fixture
def applied(request):
    return request.getfixturevalue("lab")


def adopt(lab, *services):
    taken = adopting.adopt_services(lab.host("lb01"), services or [at()])
    asked = [found.at for found in taken]
    run = review.ask_for_adoption(lab.cluster, asked, lab.operator, Actor()).run
    return lab.attend(run)


def test_what_was_found_is_told_before(lab):
    (found,) = adopting.survey(lab.host("lb01"))
    assert (found.at, found.refusal, found.replaces) == (at(), None, False)
    assert [host.name if host else None for _server, host in found.servers] == [
        "web1",
        "web2",
        None,
    ]
    assert [str(note) for note in found.notes] == [
        "No hosts of this cluster: 10.0.1.77. What they need is set up by hand."
    ]


def test_adopting_sends_nothing_and_leaves_a_revision(lab):
    run = adopt(lab)
    assert run.state == Run.State.CONVERGED
    assert lab.writes() == []
    assert (run.revision.number, run.revision.by) == (2, lab.operator)
    service = lab.cluster.services.get()
    assert (service.scheduler, service.persistence) == ("wlc", 300)
    servers = service.servers.all()
    assert {s.address: (s.host and s.host.name, s.weight) for s in servers} == {
        "10.0.1.6": ("web1", 3),
        "10.0.1.9": ("web2", 1),
        "10.0.1.77": (None, 1),
    }
    assert lab.cluster.vips.get().number == 4
    assert lab.host("lb01").left_behind.services == (at(),)
    assert row(lab, "lb01").foreign == []
    assert row(lab, "lb01").count == 0


def test_what_shall_outlast_a_reboot_is_all_that_is_written(lab):
    for model in lab.models.values():
        model.state = replace(model.state, boot=BootPlace(ready=True))
    run = adopt(lab)
    assert run.state == Run.State.PLANNED
    assert {step.value.phase for step in run.steps.all()} == {Phase.PERSIST}
    lab.confirm(run)
    assert lab.attend(run).state == Run.State.CONVERGED
    assert lab.host("lb01").left_behind.services == (at(),)


def test_it_is_edited_and_deleted_like_any_other(lab):
    adopt(lab)
    server = lab.cluster.services.get().servers.get(address="10.0.1.6")
    server.weight = 9
    server.save()
    run = lab.apply()
    assert run.state == Run.State.CONVERGED
    assert lab.writes() == ["lb01: -e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 9"]
    lab.cluster.services.get().delete()
    assert lab.apply().state == Run.State.CONVERGED
    assert lab.states() == lab.before
    assert not any(host.left_behind for host in lab.cluster.hosts.all())


def test_what_is_missing_on_a_real_server_is_a_plan_to_look_at(lab):
    lab.models["web2"]._change("del", "addresses", lo_vip())
    run = adopt(lab)
    assert run.state == Run.State.PLANNED
    assert {step.host.name for step in run.steps.all()} == {"web2"}
    assert lab.host("lb01").left_behind.services == ()
    lab.confirm(run)
    assert lab.attend(run).state == Run.State.CONVERGED
    assert lab.host("lb01").left_behind.services == (at(),)


def test_a_cancelled_adoption_leaves_the_service_foreign(lab):
    lab.models["web2"]._change("del", "addresses", lo_vip())
    run = adopt(lab)
    Run.objects.filter(pk=run.pk).update(state=Run.State.CANCELLED)
    lab.cluster.services.all().delete()
    run = lab.plan()
    assert run.state == Run.State.CONVERGED  # nothing to send: it is not ours
    assert lab.models["lb01"].state.table.by_address[at()].servers


def test_a_service_that_nobody_adopted_is_still_refused(lab):
    service = lab.want()
    run = lab.plan()
    assert run.state == Run.State.REFUSED
    assert "was not made here. Adopt it" in str(run.account_sentences[0])
    # Adopting takes what the kernel has, not what the draft said.
    assert adopting.survey(lab.host("lb01"))[0].replaces
    assert adopt(lab).state == Run.State.CONVERGED
    service.refresh_from_db()
    assert service.scheduler == "wlc"
    assert lab.writes() == []


def test_what_no_row_can_hold_is_refused_with_the_reason(lab):
    lab.models["lb01"]._rule("-A -f 7 -s rr")
    lab.models["lb01"]._rule("-A -u 10.0.1.31:5060 -s rr -p 300 --pe sip")
    observe(lab)
    found = adopting.survey(lab.host("lb01"))
    assert next(one for one in found if one.at == at()).refusal is None
    for one in found:
        if one.refusal:
            with pytest.raises(adopting.CannotAdopt):
                adopting.adopt_services(lab.host("lb01"), [at(), one.at])
    if any(one.refusal for one in found):
        assert not lab.cluster.services.exists()


def adopted_cluster(lab):
    adopt(lab)
    lab.models["lb01"].writes.clear()


def only_line(lab, name="lb01"):
    (line,) = row(lab, name).differences
    return line


@pytest.mark.parametrize(
    ("rule", "edit"),
    [
        (
            "-e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 5",
            "Change TCP 10.0.1.31:80: weight of web1 3 → 5",
        ),
        ("-E -t 10.0.1.31:80 -s rr", None),
        ("-d -t 10.0.1.31:80 -r 10.0.1.9:80", "Change TCP 10.0.1.31:80: take web2 out"),
        ("-a -t 10.0.1.31:80 -r 10.0.1.8:80 -g -w 2", None),
        ("-D -t 10.0.1.31:80", None),
    ],
)
def test_a_line_that_is_adopted_leaves_nothing_to_send(lab, rule, edit):
    adopted_cluster(lab)
    lab.models["lb01"]._rule(rule)
    lab.models["lb01"].writes.clear()
    observe(lab)
    said = adopting.adopt_line(lab.host("lb01"), only_line(lab)["key"])
    assert len(said) == 1
    assert edit in (None, str(said[0]))
    run = lab.plan()
    if rule[:2] in ("-D", "-d"):
        # Nothing to send for that line; web2 needs the VIP no longer.
        assert run.state == Run.State.PLANNED
        assert not [s for s in run.steps.all() if s.value.command.argv[0] == "ipvsadm"]
        return
    assert run.state == Run.State.CONVERGED
    assert (run.revision.number, lab.writes()) == (3, [])
    assert row(lab, "lb01").count == 0


def test_a_line_that_follows_from_the_wish_cannot_be_adopted(lab):
    adopted_cluster(lab)
    lab.models["web1"]._change("del", "routes", lo_route())
    observe(lab)
    with pytest.raises(adopting.CannotAdopt):
        adopting.adopt_line(lab.host("web1"), only_line(lab, "web1")["key"])
    with pytest.raises(adopting.CannotAdopt):
        adopting.adopt_line(lab.host("lb01"), "none")


def repair(lab, scope):
    found = review.ask_for_repair(lab.cluster, scope, lab.operator, Actor())
    return lab.attend(found.run)


def test_one_line_is_repaired_and_the_others_stay(lab):
    adopted_cluster(lab)
    for rule in (
        WEIGHT_5,
        "-E -t 10.0.1.31:80 -s rr",
        "-d -t 10.0.1.31:80 -r 10.0.1.9:80",
    ):
        lab.models["lb01"]._rule(rule)
    lab.models["lb01"].writes.clear()
    observe(lab)
    weight = row(lab, "lb01").differences[1]
    run = repair(lab, Scope(keys=(weight["key"],)))
    assert run.state == Run.State.PLANNED
    lab.confirm(run)
    assert lab.attend(run).state == Run.State.CONVERGED
    assert lab.writes() == ["lb01: -e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 3"]
    assert run.revision.number == 2
    assert row(lab, "lb01").count == 2


def test_one_host_is_repaired_and_the_draft_is_left_out(lab):
    adopted_cluster(lab)
    lab.cluster.services.update(scheduler="sh")  # a draft
    for name in ("web1", "web2"):
        lab.models[name].reboot()
    observe(lab)
    run = repair(lab, Scope(hosts=("web1",)))
    lab.confirm(run)
    assert lab.attend(run).state == Run.State.CONVERGED
    assert {w.partition(":")[0] for w in lab.writes()} == {"web1"}
    assert (row(lab, "web1").count, row(lab, "web1").rebooted_at) == (0, None)
    assert row(lab, "web2").count == 3
    assert lab.models["lb01"].state.table.services[0].scheduler.value == "wlc"


def test_a_line_that_is_no_more_needs_no_command(lab):
    adopted_cluster(lab)
    run = repair(lab, Scope(keys=("gone",)))
    assert run.state == Run.State.CONVERGED
    assert lab.writes() == []


def test_a_narrow_repair_only_warns_of_what_it_does(lab):
    adopted_cluster(lab)
    lab.models["lb01"]._rule("-d -t 10.0.1.31:80 -r 10.0.1.9:80")
    lab.models["web1"]._change("del", "routes", lo_route())
    observe(lab)
    run = repair(lab, Scope(hosts=("web1",)))
    assert run.state == Run.State.PLANNED
    assert [s.msgid for s in run.caution_sentences] == [safety.FORGETFUL]


def test_before_the_first_revision_there_is_nothing_to_repair(lab):
    lab.cluster.revisions.all().delete()
    asked = review.ask_for_repair(lab.cluster, Scope(), lab.operator, Actor())
    assert asked is None


def test_comparisons_go_with_their_host(lab):
    lab.host("web1").delete()
    assert Comparison.objects.count() == 2
    assert comparing.due() == []


def test_settings_that_somebody_changed_are_adopted_or_repaired(lab):
    adopted_cluster(lab)
    wanted = Settings(Timeouts(tcp=600), (("expire_nodest_conn", "1"),))
    lab.cluster.settings = wanted.as_json()
    lab.cluster.save()
    assert lab.apply().state == Run.State.CONVERGED
    model = lab.models["lb01"]
    model._ipvsadm(("--set", "800", "0", "0"), "")
    model._sysctl(("-q", "-w", "net.ipv4.vs.expire_nodest_conn=0"), "")
    observe(lab)
    lines = {str(words.from_json(d["told"])): d for d in row(lab, "lb01").differences}
    assert set(lines) == {
        "TCP timeout 600 s → 800 s",
        "expire_nodest_conn 1 → 0",
    }
    assert all(line["adoptable"] for line in lines.values())
    key = lines["TCP timeout 600 s → 800 s"]["key"]
    said = adopting.adopt_line(lab.host("lb01"), key)
    assert [str(sentence) for sentence in said] == ["TCP timeout 600 s → 800 s"]
    assert lab.cluster.wished_settings.timeouts == Timeouts(tcp=800)
    run = lab.plan()
    assert [s.value.command.argv[0] for s in run.steps.all()] == ["sysctl"]
    lab.confirm(run)
    assert lab.attend(run).state == Run.State.CONVERGED
    assert row(lab, "lb01").count == 0
