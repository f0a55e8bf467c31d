"""Runs with TUN and NAT against hosts in memory: refusals, recovery, the way back."""

from dataclasses import replace

import pytest

from cluster.lvs.host import Gateway
from cluster.models import Run

State = Run.State
ROUTED = (Gateway("default", "10.0.1.3"),)
CONF = "net.ipv4.conf"


@pytest.fixture
def lab(lab):
    """The hosts with the sysctls that every kernel has."""
    names = ("arp_ignore", "arp_announce", "rp_filter")
    more = {f"{CONF}.default.{name}": "0" for name in names} | {
        "net.ipv4.ip_forward": "0",
        f"{CONF}.all.accept_redirects": "1",
        f"{CONF}.all.send_redirects": "1",
        f"{CONF}.eth0.send_redirects": "1",
        "net.ipv4.vs.conntrack": "0",
    }
    for model in lab.models.values():
        values = tuple((dict(model.state.sysctls) | more).items())
        model.state = replace(model.state, sysctls=values)
    return lab


def want(lab, method):
    service = lab.want()
    if method == "fullnat":
        service.source_nat, method = True, "nat"
        service.save()
    service.servers.update(method=method)
    return service


def route(lab, *gateways):
    for name in ("web1", "web2"):
        model = lab.models[name]
        model.state = replace(model.state, gateways=gateways)


def told(run):
    return " ".join(str(s) for s in (*run.account_sentences, *run.caution_sentences))


@pytest.mark.parametrize("method", ["tun", "nat", "fullnat"])
def test_deleting_the_service_leaves_every_host_as_it_was(lab, method):
    route(lab, *ROUTED)
    before = {name: state.as_json() for name, state in lab.states().items()}
    service = want(lab, method)
    assert lab.apply().state == State.CONVERGED
    assert any(host.left_behind for host in lab.cluster.hosts.all())
    service.delete()
    assert lab.apply().state == State.CONVERGED
    assert {name: state.as_json() for name, state in lab.states().items()} == before
    assert not any(host.left_behind for host in lab.cluster.hosts.all())


@pytest.mark.parametrize("method", ["tun", "nat", "fullnat"])
def test_a_refused_rule_undoes_everything(lab, method):
    route(lab, *ROUTED)
    before = {name: state.as_json() for name, state in lab.states().items()}
    want(lab, method)
    lab.models["lb01"].refused.add("-A -t 10.0.1.31:80 -s rr")
    assert lab.apply().state == State.RETURNED
    assert {name: state.as_json() for name, state in lab.states().items()} == before


def test_fullnat_needs_no_route_but_cannot_be_switched_off_without(lab):
    route(lab, Gateway("default", "10.0.1.250"))
    service = want(lab, "fullnat")
    assert lab.apply().state == State.CONVERGED
    writes = lab.writes()
    service.source_nat = False
    service.save()
    assert lab.plan().state == State.REFUSED
    assert lab.writes() == writes


def test_rules_of_the_firewall_are_asked_for_only_where_they_matter(lab):
    want(lab, "tun")
    lab.apply()
    asked = [line for shell in lab.shells.values() for line in shell.lines]
    assert not [line for line in asked if "iptables" in line or "modprobe -n" in line]


def test_nat_does_not_begin_where_no_reply_comes_back(lab):
    route(lab, Gateway("default", "10.0.1.250"))
    want(lab, "nat")
    run = lab.plan()
    assert run.state == State.REFUSED
    assert "replies of web1 do not come back through lb01" in told(run)
    assert "replies of web2 do not come back" in told(run)
    assert lab.writes() == []


def test_a_route_for_some_clients_needs_a_second_look(lab):
    route(lab, Gateway("default", "10.0.1.250"), Gateway("10.7.0.0/16", "10.0.1.3"))
    want(lab, "nat")
    run = lab.plan()
    assert run.state == State.PLANNED
    assert "only replies to 10.7.0.0/16" in told(run)


def test_a_route_that_was_lost_later_does_not_block_other_changes(lab):
    route(lab, *ROUTED)
    want(lab, "nat")
    lab.apply()
    route(lab)
    lab.want(port=443)
    run = lab.plan()
    assert run.state == State.PLANNED
    assert "replies of web1 do not come back" in told(run)


def test_a_dead_nat_server_can_be_taken_out(lab, dead):
    route(lab, *ROUTED)
    service = want(lab, "nat")
    lab.apply()
    dead("web1")
    service.servers.filter(host__name="web1").delete()
    assert lab.apply().state == State.CONVERGED
    want_more = lab.want(port=443)
    want_more.servers.update(method="nat")
    run = lab.plan()
    assert run.state == State.REFUSED, "nobody knows whether web1 replies"


def test_while_a_nat_server_is_dead_the_others_can_be_changed(lab, dead):
    route(lab, *ROUTED)
    service = want(lab, "nat")
    lab.apply()
    dead("web1")
    service.servers.filter(host__name="web2").update(weight=5)
    run = lab.apply()
    assert run.state == State.CONVERGED, told(run)


def test_a_patched_ipvsadm_is_used_instead_of_rules_of_the_firewall(lab):
    route(lab, *ROUTED)
    lab.models["lb01"].patched = True
    before = {name: state.as_json() for name, state in lab.states().items()}
    service = want(lab, "fullnat")
    assert lab.apply().state == State.CONVERGED
    there = lab.models["lb01"].state
    assert [str(one) for s in there.table.services for one in s.laddrs] == ["10.0.1.3"]
    assert not there.source_nat
    writes = lab.writes()
    assert lab.apply().state == State.CONVERGED
    assert lab.writes() == writes, "what was applied is read back as it was wished"
    service.source_nat = False
    service.save()
    assert lab.apply().state == State.CONVERGED
    assert not any(s.laddrs for s in lab.models["lb01"].state.table.services)
    service.delete()
    assert lab.apply().state == State.CONVERGED
    assert {name: state.as_json() for name, state in lab.states().items()} == before


def test_a_weight_is_changed_in_the_spelling_of_a_patched_ipvsadm(lab):
    route(lab, *ROUTED)
    lab.models["lb01"].patched = True
    service = want(lab, "fullnat")
    assert lab.apply().state == State.CONVERGED
    lines = len(lab.models["lb01"].writes)
    service.servers.filter(host__name="web1").update(weight=0)
    assert lab.apply().state == State.CONVERGED
    sent = [w for w in lab.models["lb01"].writes[lines:] if w.startswith("-")]
    assert sent == ["-e -t 10.0.1.31:80 -r 10.0.1.6:80 -b -w 0"]
