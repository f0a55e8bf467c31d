"""Timeouts, sync daemons and sysctls: planned, carried out, given up, as before."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs import facts, privileges, settings_check
from cluster.lvs.facts import FactError
from cluster.lvs.host import Footprint, HostState
from cluster.lvs.ipvs_sysctls import BY_NAME, CATALOGUE
from cluster.lvs.plan import plan
from cluster.lvs.settings import (
    DirectorSettings,
    Settings,
    SyncDaemon,
    SyncRole,
    Timeouts,
)
from cluster.lvs.settings_check import Around, check
from cluster.lvs.table import Table
from cluster.lvs.validate import Wrong
from cluster.lvs.wish import ClusterWish, host_wishes
from tests.build import WEB1, director, server, service, table
from tests.model_host import ModelHost

MASTER, BACKUP = SyncRole.MASTER, SyncRole.BACKUP
BOTH = ("lb01", "lb02")
SYNC = Settings(
    daemons=(
        ("lb01", SyncDaemon(MASTER, "eth0", 7)),
        ("lb02", SyncDaemon(BACKUP, "eth0", 7)),
    )
)


def wish(settings, names=BOTH):
    return ClusterWish("lb01", settings=settings, directors=names)


def carried_out(models, settings, footprints=None):
    """Apply and read back; return what was sent to each, and what is ours now."""
    footprints = footprints or {}
    wanted = wish(settings) if settings else ClusterWish("lb01")

    def planned(ours):
        states = {name: model.state for name, model in models.items()}
        return plan(states, host_wishes(wanted, states), ours)

    found = planned(footprints)
    for change in found.changes:
        assert privileges.allowed("director", change.command), change.command.line
        assert privileges.allowed("director", change.undo), change.undo.line
        answer = models[change.host](change.command)
        assert answer.ok, answer
    left = {
        name: (footprints.get(name, Footprint()) | found.adds[name]).still_on(m.state)
        for name, m in models.items()
    }
    assert planned(left).is_empty
    return [f"{c.host}: {c.command.line.removeprefix('sudo -n ')}"
            for c in found.changes], left  # fmt: skip


def pair():
    return {name: ModelHost(director()) for name in BOTH}


CASES = {
    "timeouts": (
        Settings(Timeouts(tcp=600, udp=60)),
        ["ipvsadm --set 600 0 60"],
        ["ipvsadm --set 900 0 300"],
    ),
    "sysctls": (
        Settings(sysctls=(("drop_entry", "1"), ("sync_threshold", "1 10"))),
        [
            "sysctl -q -w 'net.ipv4.vs.sync_threshold=1 10' net.ipv4.vs.drop_entry=1",
        ],
        [
            "sysctl -q -w 'net.ipv4.vs.sync_threshold=3 50' net.ipv4.vs.drop_entry=0",
        ],
    ),
    "conntrack": (
        Settings(sysctls=(("conntrack", "1"),)),
        ["sysctl -q -w net.ipv4.vs.conntrack=1"],
        ["sysctl -q -w net.ipv4.vs.conntrack=0"],
    ),
    "what the kernel has already": (
        Settings(Timeouts(tcp=900), (("pmtu_disc", "1"),)),
        [],
        [],
    ),
}


@pytest.mark.parametrize(("settings", "there", "back"), CASES.values(), ids=CASES)
def test_settings_are_for_every_director_and_go_back(settings, there, back):
    models, before = pair(), pair()
    sent, left = carried_out(models, settings)
    assert sent == [f"{name}: {line}" for line in there for name in BOTH]
    sent, left = carried_out(models, None, left)
    assert sent == [f"{name}: {line}" for line in back for name in BOTH]
    assert not any(left.values())
    for name in BOTH:
        assert dict(models[name].state.sysctls) == dict(before[name].state.sysctls)
        assert models[name].state.settings == before[name].state.settings


def test_each_director_has_the_daemons_of_its_own():
    models = pair()
    sent, left = carried_out(models, SYNC)
    start = "ipvsadm --start-daemon {} --mcast-interface eth0 --syncid 7"
    assert sent == [
        "lb01: " + start.format("master"),
        "lb02: " + start.format("backup"),
    ]
    sent, left = carried_out(models, None, left)
    assert sent == [
        "lb01: ipvsadm --stop-daemon master",
        "lb02: ipvsadm --stop-daemon backup",
    ]
    assert not any(left.values())


def test_a_daemon_that_runs_otherwise_is_started_anew_and_comes_back():
    by_hand = SyncDaemon(MASTER, "eth1", 3, 1472, "224.0.0.90", 8900, 2)
    models = pair()
    lb01 = models["lb01"]
    lb01.state = replace(
        lb01.state, settings=replace(lb01.state.settings, daemons=(by_hand,))
    )
    before = lb01.state
    sent, left = carried_out(models, SYNC)
    assert sent[:2] == [
        "lb01: ipvsadm --stop-daemon master",
        "lb01: ipvsadm --start-daemon master --mcast-interface eth0 --syncid 7",
    ]
    sent, left = carried_out(models, None, left)
    assert sent[:2] == [
        "lb01: ipvsadm --stop-daemon master",
        (
            "lb01: ipvsadm --start-daemon master --mcast-interface eth1 --syncid 3"
            " --sync-maxlen 1472 --mcast-group 224.0.0.90 --mcast-port 8900"
            " --mcast-ttl 2"
        ),
    ]
    assert lb01.state == before


def test_a_daemon_that_runs_as_wished_never_becomes_ours():
    models = pair()
    for name, daemon in SYNC.daemons:
        models[name](plan_start(daemon))
    sent, left = carried_out(models, SYNC)
    assert sent == []
    assert not any(left.values())


def plan_start(daemon):
    states = {"lb01": director()}
    settings = Settings(daemons=(("lb01", daemon),))
    (change,) = plan(states, host_wishes(wish(settings), states), {}).changes
    return change.command


def test_a_reboot_makes_it_needed_again_and_no_longer_ours():
    models = pair()
    settings = Settings(Timeouts(udp=60), daemons=SYNC.daemons)
    _sent, left = carried_out(models, settings)
    after = director()
    models["lb01"].state = after
    assert not left["lb01"].still_on(after)
    sent, _left = carried_out(models, settings, left)
    assert [line for line in sent if line.startswith("lb01")] == [
        "lb01: ipvsadm --set 0 0 60",
        "lb01: ipvsadm --start-daemon master --mcast-interface eth0 --syncid 7",
    ]


def test_fullnat_has_the_last_word_about_conntrack():
    settings = Settings(sysctls=(("conntrack", "0"),))
    nat = service(source_nat=True)
    wanted = ClusterWish("lb01", table(nat), settings=settings, directors=("lb01",))
    (found, *_more) = check(settings, Around({}, wanted.table))
    assert found[0] == "conntrack"


# -- what stands in the way -----------------------------------------------------------


def refused(settings, services=(), **directors):
    around = Around(directors, table(*services))
    return [(place, str(why)) for place, why in check(settings, around)]


def test_a_kernel_that_lacks_a_sysctl_is_named():
    assert refused(Settings(sysctls=(("est_nice", "5"),)), lb01=director()) == [
        ("est_nice", "The kernel of lb01 has no est_nice: it came with Linux 6.2.")
    ]


def test_a_daemon_needs_a_device_with_an_address():
    settings = Settings(daemons=(("lb01", SyncDaemon(MASTER, "eth7")),))
    (found,) = refused(settings, lb01=director())
    assert found == ("lb01 master", "eth7 has no address here: eth0, lo have one.")


def test_a_backup_takes_no_short_messages():
    settings = Settings(daemons=(("lb01", SyncDaemon(BACKUP, "eth0", maxlen=1000)),))
    assert [place for place, _why in refused(settings)] == ["lb01 backup"]
    master = Settings(daemons=(("lb01", SyncDaemon(MASTER, "eth0", maxlen=1000)),))
    assert refused(master) == []


def test_a_real_server_of_the_other_family_excludes_the_sync_daemon():
    mixed = service(servers=(server("2001:db8::6"), server(WEB1)))
    assert [place for place, _ in refused(SYNC, [mixed])] == [
        "lb01 master",
        "lb02 backup",
    ]
    assert refused(SYNC, [service()]) == []


def test_a_master_that_nobody_hears_is_told():
    assert settings_check.unheard(SYNC) == []
    deaf = replace(SYNC, daemons=(SYNC.daemons[0],))
    assert len(settings_check.unheard(deaf)) == 1
    other = replace(SYNC.daemons[1][1], syncid=8)
    assert settings_check.unheard(
        replace(SYNC, daemons=(SYNC.daemons[0], ("lb02", other)))
    )


VALUES = {
    "conntrack": (["0", "1", " 1 "], ["2", "-1", "x", ""]),
    "drop_entry": (["0", "1", "3"], ["2", "4"]),
    "conn_reuse_mode": (["0", "1", "2"], ["3"]),
    "sync_threshold": (["3 50", "0 0", "3  50"], ["3", "51 50", "3 x", "3 50 1"]),
    "est_cpulist": (["0", "0-3", "0-3,5"], ["", "a", "0;id", "1-", "1,,2"]),
    "est_nice": (["-20", "0", "19"], ["20", "-21"]),
    "am_droprate": (["1", "1000"], ["0"]),
    "sync_ports": (["1", "64"], ["0", "65"]),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_are_read_as_the_kernel_shows_them(name):
    good, bad = VALUES[name]
    for text in good:
        shown = settings_check.read_sysctl(BY_NAME[name], text)
        assert shown == " ".join(text.split())
    for text in bad:
        with pytest.raises(Wrong):
            settings_check.read_sysctl(BY_NAME[name], text)


@pytest.mark.parametrize("one", CATALOGUE, ids=lambda one: one.name)
def test_each_sysctl_is_explained_in_two_sentences(one):
    assert one.help.count(". ") == 1, one.help
    assert one.help.endswith(".")
    assert str(one.range)
    if one.default:
        assert settings_check.read_sysctl(one, one.default) == one.default


@pytest.mark.parametrize("text", ["10.0.0.1", "224.0.0.256", "x", ""])
def test_a_group_is_a_multicast_address(text):
    with pytest.raises(Wrong):
        settings_check.read_group(text)
    assert settings_check.read_group(" 239.1.2.3 ") == "239.1.2.3"
    assert settings_check.read_group("FF02::81") == "ff02::81"


# -- what hosts print -----------------------------------------------------------------

LISTED = (
    "master sync daemon (mcast=eth0, syncid=3, maxlen=1472, group=224.0.0.81,"
    " port=8848, ttl=1)\n"
    "backup sync daemon (mcast=bond0.7, syncid=255)\n"
)


def test_daemons_are_read():
    assert facts.parse_daemons(LISTED) == (
        SyncDaemon(MASTER, "eth0", 3, 1472, "224.0.0.81", 8848, 1),
        SyncDaemon(BACKUP, "bond0.7", 255),
    )
    assert facts.parse_daemons("\n") == ()


@pytest.mark.parametrize("text", ["nonsense", "master sync daemon", LISTED[:40]])
def test_what_is_not_understood_is_never_guessed(text):
    with pytest.raises(FactError):
        facts.parse_daemons(text)
    with pytest.raises(FactError):
        facts.parse_timeouts(text)


def test_what_the_kernel_switches_by_itself_is_no_change():
    """drop_entry 1 becomes 2 while memory is short, and 1 again."""
    text = "/proc/sys/net/ipv4/vs/drop_entry:2\n/proc/sys/net/ipv4/vs/sync_ports:2\n"
    assert dict(facts.parse_sysctls(text)) == {
        "net.ipv4.vs.drop_entry": "1",
        "net.ipv4.vs.sync_ports": "2",
    }
    text = "/proc/sys/net/ipv4/vs/sync_threshold:3\t50\n"
    assert facts.parse_sysctls(text) == (("net.ipv4.vs.sync_threshold", "3 50"),)


# -- any settings at all --------------------------------------------------------------

seconds = st.none() | st.sampled_from([60, 900])
daemons = st.builds(
    SyncDaemon,
    st.sampled_from(SyncRole),
    st.sampled_from(["eth0", "eth1"]),
    st.integers(0, 2),
    st.none() | st.just(1400),
    st.sampled_from(["", "224.0.0.90"]),
    st.none() | st.just(8900),
    st.none() | st.just(3),
)
placed = st.tuples(st.sampled_from(BOTH), daemons)
chosen = st.dictionaries(
    st.sampled_from([one.name for one in CATALOGUE if one.since != "6.2"]),
    st.sampled_from(["0", "1"]),
).map(
    lambda found: tuple(
        (name, f"{value} 10" if name == "sync_threshold" else value)
        for name, value in found.items()
    )
)
all_settings = st.builds(
    Settings,
    st.builds(Timeouts, seconds, seconds, seconds),
    chosen,
    st.lists(placed, max_size=4, unique_by=lambda one: (one[0], one[1].role)).map(
        tuple
    ),
)


@given(all_settings, all_settings)
def test_one_wish_after_the_other_and_nothing_is_left(first, second):
    models, before = pair(), pair()
    _sent, left = carried_out(models, first)
    _sent, left = carried_out(models, second, left)
    _sent, left = carried_out(models, Settings(), left)
    assert not any(left.values())
    for name in BOTH:
        assert dict(models[name].state.sysctls) == dict(before[name].state.sysctls)
        assert models[name].state.settings == before[name].state.settings


@given(all_settings)
def test_undoing_every_change_in_reverse_gives_what_was_before(settings):
    models, before = pair(), pair()
    states = {name: model.state for name, model in models.items()}
    found = plan(states, host_wishes(wish(settings), states), {})
    for change in found.changes:
        assert models[change.host](change.command).ok
    for change in reversed(found.changes):
        assert models[change.host](change.undo).ok
    for name in BOTH:
        assert models[name].state.settings == before[name].state.settings
        assert dict(models[name].state.sysctls) == dict(before[name].state.sysctls)


@given(all_settings)
def test_settings_and_footprints_survive_json(settings):
    assert Settings.from_json(settings.as_json()) == settings
    of_one = settings.of("lb01")
    assert DirectorSettings.from_json(of_one.as_json()) == of_one
    state = replace(director(), settings=of_one)
    assert HostState.from_json(state.as_json()) == state
    ours = Footprint(
        timeouts=settings.timeouts,
        sync_daemons=tuple((d.role, d) for d in of_one.daemons),
    )
    assert Footprint.from_json(ours.as_json()) == ours
    whole = wish(settings) if settings else ClusterWish("lb01")
    assert ClusterWish.from_json(whole.as_json()) == whole
    assert Table() == whole.table
