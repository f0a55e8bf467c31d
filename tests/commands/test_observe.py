"""What hosts have, and what differs from what was applied."""

import pytest

from tests.build import at


@pytest.fixture
def lab(cluster_of_notes):
    cluster_of_notes.want()
    return cluster_of_notes


@pytest.fixture
def applied(lab):
    lab.apply()
    return lab


def host(done, name):
    return next(h for h in done.data["hosts"] if h["name"] == name)


def test_hosts_that_are_as_applied(applied, run_command):
    before = applied.writes()
    done = run_command("observe", "lab")
    assert (done.exit, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "lb01 · director · 10.0.1.3"
    assert "  10.0.1.31/24 dev eth0 eth0:1" in lines
    assert "  -a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1" in lines
    assert lines[-1] == "Every host is as revision 1 wants it."
    assert applied.writes() == before


def test_it_needs_no_account(applied, run_command, monkeypatch):
    monkeypatch.delenv("PIRANHA_USER")
    assert run_command("observe", "lab").exit == 0


def test_the_document_says_what_each_host_has(applied, run_command):
    found = host(run_command("observe", "lab", "--json"), "web1")
    assert found["role"] == "real_server"
    assert found["state"]["boot_id"] == "boot-10.0.1.6"
    assert found["state"]["routes"] == [{"destination": "10.0.1.31/32", "device": "lo"}]
    assert found["state"]["sysctls"]["net.ipv4.conf.lo.arp_ignore"] == "1"
    assert (found["drift"], found["not_ours"], found["trouble"]) == ([], [], None)


def test_a_host_that_was_rebooted_drifts(applied, run_command):
    applied.models["web1"].reboot()
    done = run_command("observe", "lab", "--json")
    assert (done.exit, done.data["outcome"]) == (2, "changes")
    drift = host(done, "web1")["drift"]
    assert [change["mark"] for change in drift] == ["edit", "add", "add"]
    assert drift[1]["command"]["line"] == (
        "sudo -n ip addr add 10.0.1.31/32 dev lo label lo:1"
    )
    assert host(done, "web2")["drift"] == []
    text = run_command("observe", "lab").out
    assert "  + Bind 10.0.1.31 to lo, so that web1 accepts packets for it" in text


def test_a_weight_changed_by_hand_drifts(applied, run_command):
    applied.models["lb01"]._rule("-e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 5")
    done = run_command("observe", "lab")
    assert done.exit == 2
    assert "  ~ Change web1 (10.0.1.6:80, weight 1, Direct routing) in" in done.out


def test_a_draft_is_no_drift(applied, run_command):
    applied.want(vip="10.0.1.32")
    assert run_command("observe", "lab").exit == 0


def test_a_service_of_somebody_else_is_shown_and_no_drift(applied, run_command):
    applied.models["lb01"]._rule("-A -t 10.0.1.77:22 -s rr")
    done = run_command("observe", "lab", "--json")
    assert (done.exit, host(done, "lb01")["not_ours"]) == (
        0,
        [str(at("10.0.1.77", 22))],
    )


@pytest.mark.parametrize("name", ["lb01", "web1"])
def test_a_silent_host_is_partial_and_the_others_are_compared(
    applied, run_command, dead, name
):
    applied.models["web2"].reboot()
    dead(name)
    done = run_command("observe", "lab", "--json")
    assert (done.exit, done.data["outcome"]) == (3, "partial")
    silent = host(done, name)
    assert silent["trouble"] == f"{name} does not answer. Nothing was sent."
    assert (silent["state"], silent["drift"]) == (None, [])
    assert len(host(done, "web2")["drift"]) == 3


def test_a_key_that_nobody_accepted_is_not_asked(applied, run_command):
    applied.cluster.hosts.filter(name="web2").update(host_key="")
    done = run_command("observe", "lab")
    assert done.exit == 3
    assert "  Its host key was not accepted yet." in done.out.splitlines()


def test_before_anything_was_applied(lab, run_command):
    done = run_command("observe", "lab", "--json")
    assert (done.exit, done.data["revision"]) == (0, None)
    assert done.data["unknown"] == ["Nothing was applied yet."]


def test_a_director_that_lost_its_network_is_said(applied, run_command):
    model = applied.models["lb01"]
    for bound in model.state.addresses:
        if bound.device == "eth0":
            model._change("del", "addresses", bound)
    done = run_command("observe", "lab", "--json")
    assert "is in no network of the director" in done.data["unknown"][0]
    assert done.exit == 3


def test_lines_that_nobody_understands_are_kept(applied, run_command, monkeypatch):
    odd = "-A -t 10.0.1.31:81 -s rr --new-option"
    monkeypatch.setattr(
        "tests.model_table.rules.render", lambda _table: odd + "\n", raising=True
    )
    done = run_command("observe", "lab", "--json")
    assert host(done, "lb01")["state"]["not_understood"] == [odd]
