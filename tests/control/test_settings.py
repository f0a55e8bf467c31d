"""Settings of directors, and the VIPs that move to another one, from plan to end."""

import pytest

from cluster import draft
from cluster.lvs.settings import Settings, SyncDaemon, SyncRole, Timeouts
from cluster.models import Run

State = Run.State
SETTINGS = Settings(
    Timeouts(tcp=600),
    (("expire_nodest_conn", "1"), ("sync_threshold", "1 10")),
    (
        ("lb01", SyncDaemon(SyncRole.MASTER, "eth0", 7)),
        ("lb02", SyncDaemon(SyncRole.BACKUP, "eth0", 7)),
    ),
)


@pytest.fixture
def lab(lab):
    lab.add_director()
    return lab


def wish(lab, settings):
    lab.cluster.settings = settings.as_json()
    lab.cluster.save()


def move(lab, name):
    lab.cluster.director = lab.host(name)
    lab.cluster.save()


def told(run):
    return "\n".join(str(sentence) for sentence in run.account_sentences)


def vips(lab, name):
    state = lab.models[name].state
    return [str(b.address) for b in state.addresses if ":" in b.label]


def test_settings_alone_are_applied_to_every_director_and_given_up(lab):
    before = lab.states()
    wish(lab, SETTINGS)
    run = lab.apply()
    assert run.state == State.CONVERGED, told(run)
    assert {step.host.name for step in run.steps.all()} == {"lb01", "lb02"}
    assert lab.models["lb01"].state.settings.timeouts == Timeouts(600, 120, 300)
    assert lab.models["lb02"].state.settings.daemon(SyncRole.BACKUP).syncid == 7
    assert draft.draft_edits(lab.cluster) == []
    wish(lab, Settings())
    run = lab.apply()
    assert run.state == State.CONVERGED, told(run)
    assert lab.states() == before
    assert not any(host.left_behind for host in lab.cluster.hosts.all())


def test_what_was_changed_is_said_and_can_be_discarded(lab):
    lab.want()
    wish(lab, SETTINGS)
    lab.apply()
    wish(lab, Settings(Timeouts(tcp=60), SETTINGS.sysctls[1:]))
    move(lab, "lb02")
    (edit,) = draft.draft_edits(lab.cluster)
    assert [str(s) for s in edit.sentences] == [
        "active director lb01 → lb02",
        "TCP timeout 600 s → 60 s",
        "sync daemon of lb01, master: eth0, ID 7 → not set",
        "sync daemon of lb02, backup: eth0, ID 7 → not set",
        "expire_nodest_conn 1 → not set",
    ]
    draft.load(lab.cluster, lab.cluster.applied())
    assert draft.draft_edits(lab.cluster) == []
    assert lab.cluster.director.name == "lb01"
    assert lab.cluster.wished_settings == SETTINGS


def test_a_kernel_that_lacks_a_sysctl_is_no_plan(lab):
    wish(lab, Settings(sysctls=(("est_nice", "5"),)))
    run = lab.plan()
    assert run.state == State.REFUSED
    assert "it came with Linux 6.2" in told(run)


def test_a_standby_that_is_dead_is_left_as_it_is(lab, dead):
    wish(lab, SETTINGS)
    dead("lb02")
    run = lab.apply()
    assert run.state == State.CONVERGED, told(run)
    assert "lb02" in str(run.caution_sentences[0])
    assert lab.models["lb02"].writes == []


def test_the_vips_move_to_the_other_director_and_back(lab):
    before = lab.states()
    service = lab.want()
    lab.apply()
    after = lab.states()
    move(lab, "lb02")
    run = lab.apply()
    assert run.state == State.CONVERGED, told(run)
    assert [str(s) for s in run.caution_sentences] == [
        (
            "The VIPs move from lb01 to lb02. Connections that lb02 was not told of by"
            " the sync daemon are cut off."
        )
    ]
    assert (vips(lab, "lb01"), vips(lab, "lb02")) == ([], ["10.0.1.31"])
    assert not lab.models["lb01"].state.table.services
    assert lab.models["lb01"].state == before["lb01"]
    move(lab, "lb01")
    assert lab.apply().state == State.CONVERGED
    assert lab.states() == after
    service.delete()
    lab.apply()
    assert lab.states() == before


def test_a_move_that_fails_is_undone_and_the_old_director_is_announced(lab):
    lab.want()
    lab.apply()
    before = lab.states()
    move(lab, "lb02")
    run = lab.plan()
    lab.confirm(run)
    lab.models["lb02"].refused.add("-A -t 10.0.1.31:80 -s rr")
    lab.attend(run)
    assert run.state == State.RETURNED, told(run)
    assert lab.states() == before
    assert not lab.models["lb02"].writes

    lab.models["lb02"].refused.clear()
    lab.models["lb01"].refused.add("-D -t 10.0.1.31:80")
    run = lab.apply()
    assert run.state == State.RETURNED, told(run)
    assert lab.states() == before
    undone = [str(step) for step in run.steps.exclude(undoes=None)]
    assert undone
    sent = [s.value.command.argv[0] for s in run.steps.exclude(undoes=None)]
    hosts = [s.host.name for s in run.steps.exclude(undoes=None)]
    assert ("arping", "lb01") in list(zip(sent, hosts, strict=True))


def test_the_vips_leave_a_dead_director(lab, dead):
    lab.want()
    lab.apply()
    dead("lb01")
    move(lab, "lb02")
    run = lab.apply()
    assert run.state == State.CONVERGED, told(run)
    assert vips(lab, "lb02") == ["10.0.1.31"]
    assert lab.host("lb01").left_behind, "what it may still have is not forgotten"


def test_a_director_that_only_ssh_cannot_reach_keeps_its_vips(lab, dead):
    lab.want()
    lab.apply()
    dead("lb01")
    lab.models["lb02"].taken.add("10.0.1.31")
    move(lab, "lb02")
    run = lab.apply()
    assert run.state == State.RETURNED, told(run)
    assert vips(lab, "lb02") == []
