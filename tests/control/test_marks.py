"""Services under a firewall mark, from rows to hosts in memory and back."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from cluster import adopting, draft, review
from cluster.audit import Actor
from cluster.lvs.boot_place import BootPlace
from cluster.lvs.drain import Event
from cluster.lvs.marks import MarkRule
from cluster.lvs.packets import read_packets
from cluster.lvs.table import ServiceAddress
from cluster.management.wish import document_of, load
from cluster.models import Host, RealServer, Run, Vip, VirtualService
from tests.build import WEB1, eth_vip
from tests.control.drains import advance, begin, say, weights
from tests.control.test_comparing import observe, row
from tests.model_host import output

State = Run.State
FWM7 = ServiceAddress.of_mark(7)
SHOP = read_packets("10.0.1.31 tcp 80,443")
RULES = tuple(MarkRule(7, one) for one in SHOP)


def want(lab, mark=7, lines="10.0.1.31 tcp 80,443"):
    packets = read_packets(lines)
    service = VirtualService.objects.create(
        cluster=lab.cluster,
        protocol="",
        port=0,
        mark=mark,
        packets=[one.as_json() for one in packets],
        scheduler="rr",
        persistence=300,
    )
    for vip in service.vips:
        Vip.number_for(lab.cluster, vip)
    for name in ("web1", "web2"):
        host = lab.host(name)
        RealServer.objects.create(
            service=service, host=host, address=host.address, port=0
        )
    return service


def told(run):
    return " ".join(str(s) for s in (*run.account_sentences, *run.caution_sentences))


def test_a_service_under_a_mark_comes_and_goes_and_leaves_nothing(lab):
    before = {name: state.as_json() for name, state in lab.states().items()}
    service = want(lab, lines="10.0.1.31 tcp 80,443\n10.0.1.32 tcp 80")
    assert lab.apply().state == State.CONVERGED
    director = lab.models["lb01"].state
    assert director.marks == (
        *RULES,
        MarkRule(7, *read_packets("10.0.1.32 tcp 80")),
    )
    assert [str(b.address) for b in director.addresses][-2:] == [
        "10.0.1.31",
        "10.0.1.32",
    ]
    assert director.table.by_address[FWM7].servers[0].port == 0
    assert "--set-xmark 0x7/0xffffffff" in director.boot.text
    assert not lab.plan().steps.exists()
    assert {str(a.address) for a in lab.models["web1"].state.addresses} >= {
        "10.0.1.31",
        "10.0.1.32",
    }
    service.delete()
    assert lab.apply().state == State.CONVERGED
    assert {name: state.as_json() for name, state in lab.states().items()} == before
    assert not any(host.left_behind for host in lab.cluster.hosts.all())
    assert not lab.cluster.vips.exists()


def test_a_refused_mark_takes_the_run_back(lab):
    want(lab)
    before = {name: state.as_json() for name, state in lab.states().items()}
    model = lab.models["lb01"]
    real = model._mangle
    model._mangle = lambda words, family: (
        _refused() if words[0] == "-A" and "443" in words else real(words, family)
    )
    assert lab.apply().state == State.RETURNED
    assert {name: state.as_json() for name, state in lab.states().items()} == before


def _refused():
    return output(status=4, complaint="iptables: Resource temporarily unavailable.")


def test_a_port_changes_over_from_a_service_of_its_own_after_the_table(lab):
    plain = lab.want()
    assert lab.apply().state == State.CONVERGED
    plain.delete()
    want(lab)
    lab.models["lb01"].writes.clear()
    assert lab.apply().state == State.CONVERGED
    writes = lab.models["lb01"].writes
    added = writes.index("-a -f 7 -r 10.0.1.9:0 -g -w 1")
    marked = writes.index("mark -A TCP 10.0.1.31:80 7")
    cut = writes.index("-D -t 10.0.1.31:80")
    assert added < marked < cut


@pytest.mark.parametrize(
    "state",
    [
        {"other_marks": (7,)},
        {"marks": (MarkRule(7, *read_packets("10.0.1.9 udp 53")),)},
    ],
)
def test_a_mark_that_somebody_else_sets_is_refused(lab, state):
    want(lab)
    model = lab.models["lb01"]
    model.state = replace(model.state, **state)
    run = lab.apply()
    assert run.state == State.REFUSED
    assert "this mark, too" in told(run)
    assert not lab.writes()


def test_a_rule_that_was_taken_away_is_drift_and_comes_back(lab):
    want(lab)
    assert lab.apply().state == State.CONVERGED
    model = lab.models["lb01"]
    model.state = replace(model.state, marks=RULES[:1])
    observe(lab)
    (line,) = row(lab, "lb01").differences
    assert line["change"]["command"]["argv"][-1] == "0x7/0xffffffff"
    assert not line["adoptable"]
    assert lab.apply().state == State.CONVERGED
    assert model.state.marks == RULES


@pytest.fixture
def by_hand(lab):
    """A director with -f 7 that somebody has typed, without our units."""
    model = lab.models["lb01"]
    model.state = replace(model.state, boot=BootPlace(), marks=RULES)
    for rule in ("-A -f 7 -s wlc -p 300", "-a -f 7 -r 10.0.1.6:0 -g -w 3"):
        assert model._rule(rule)
    model._change("add", "addresses", eth_vip(number=4))
    lab.cluster.keep_revision(lab.cluster.wish().as_json(), None)
    observe(lab)
    model.writes.clear()
    return lab


@pytest.fixture
def applied(request):
    return request.getfixturevalue("by_hand")


def survey(lab):
    (found,) = adopting.survey(lab.host("lb01"))
    return found


def test_a_mark_by_hand_is_adopted_with_its_rules(by_hand):
    lab = by_hand
    assert survey(lab).refusal is None
    assert survey(lab).name == "FWM 7 · 10.0.1.31 tcp 80,443"
    adopting.adopt_services(lab.host("lb01"), [FWM7])
    run = review.ask_for_adoption(lab.cluster, [FWM7], lab.operator, Actor()).run
    lab.attend(run)
    lab.confirm(run)
    assert lab.attend(run).state == State.CONVERGED
    assert not [one for one in lab.models["lb01"].writes if "mark" in one]
    assert lab.host("lb01").left_behind.marks == RULES
    vip = lab.cluster.vips.get()
    assert (vip.address, vip.number) == ("10.0.1.31", 4)
    VirtualService.objects.all().delete()
    assert lab.apply().state == State.CONVERGED
    state = lab.models["lb01"].state
    assert (state.marks, state.table.services) == ((), ())
    assert ip_address("10.0.1.31") not in [b.address for b in state.addresses]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"marks": ()}, "No rule was found"),
        ({"other_marks": (7,)}, "Other rules of the firewall set this mark"),
        ({"marks": (*RULES, RULES[0])}, "overlap"),
    ],
)
def test_a_mark_whose_rules_are_not_ours_stays_with_its_owner(by_hand, state, why):
    model = by_hand.models["lb01"]
    model.state = replace(model.state, **state)
    observe(by_hand)
    assert why in str(survey(by_hand).refusal)
    with pytest.raises(adopting.CannotAdopt):
        adopting.adopt_services(by_hand.host("lb01"), [FWM7])


def test_rights_of_old_do_not_hide_a_director_with_marks_by_hand(by_hand):
    model = by_hand.models["lb01"]
    model._mangle = lambda words, family: _refused()
    Host.objects.update(facts={})
    observe(by_hand)
    assert by_hand.host("lb01").state.marks == ()
    assert "No rule was found" in str(survey(by_hand).refusal)


def test_a_real_server_is_drained_out_of_all_ports_of_a_mark_and_comes_back(lab):
    want(lab).servers.update(weight=3)
    lab.apply()
    before = lab.states()
    lab.models["lb01"].connections[f"{WEB1}:0"] = (1, 4)
    drain = begin(lab, reuse=False)
    assert advance(lab, drain) == "draining"
    assert weights(lab, FWM7) == {"6": 0, "9": 3}
    assert drain.seen["left"] == [["FWM 7", 4, 1]]
    lab.models["lb01"].connections.clear()
    assert advance(lab, drain) == "out"
    assert weights(lab, FWM7) == {"9": 3}
    assert "10.0.1.31" not in str(lab.models["web1"].state.addresses)
    assert lab.models["lb01"].state.marks == RULES
    assert say(lab, drain, Event.BACK) == "restored"
    assert lab.states() == before
    assert not lab.cluster.changed_services()


def test_a_mark_survives_a_file_and_a_revision(lab):
    want(lab, lines="10.0.1.31 tcp 80,443,8000-8010\n10.0.1.32 udp 53")
    assert lab.apply().state == State.CONVERGED
    written = document_of(lab.cluster)
    assert written["services"][0]["packets"][0]["ports"] == [80, 443, "8000-8010"]
    VirtualService.objects.all().delete()
    draft.load(lab.cluster, lab.cluster.applied())
    assert document_of(lab.cluster) == written
    VirtualService.objects.all().delete()
    load(lab.cluster, written, "lab.yaml", Actor())
    assert document_of(lab.cluster) == written
    assert not lab.plan().steps.exists()
