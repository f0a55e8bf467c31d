"""The boot file, run by a real shell: what it does to a host that has just booted."""

import subprocess
from dataclasses import replace
from functools import partial
from ipaddress import ip_address

import pytest

from cluster.lvs import boot_place, script
from cluster.lvs.boot_place import BOOT_FILE, BootPlace
from cluster.lvs.host import Footprint, HostState, HostWish
from cluster.lvs.plan import boot_text, plan
from cluster.lvs.privileges import allowed
from cluster.lvs.settings import Settings, SyncDaemon, SyncRole, Timeouts
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.wish import ClusterWish, host_wishes
from tests import shell_on_host
from tests.build import VIP, at, director, real_server, server, service, wish
from tests.model_host import ModelHost

READY = BootPlace(ready=True)
SECOND = "10.0.1.32"


@pytest.fixture
def boot(tmp_path):
    """Call with a text and a host: the shell runs the one, the host gets the rest."""
    return partial(shell_on_host.run, tmp_path)


def modes():
    nat = server(method=ForwardingMethod.NAT)
    tun = server(method=ForwardingMethod.TUN)
    return {
        "DR": [service()],
        "two VIPs": [service(), service(SECOND), service(port=443)],
        "TUN": [service(servers=[tun])],
        "NAT": [service(servers=[nat])],
        "FULLNAT": [service(servers=[nat], source_nat=True)],
        "a scheduler with options": [
            service(servers=[server(upper=9)], persistence=60, flags=("sh-port",))
        ],
    }


KEYS = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.accept_redirects",
    "net.ipv4.conf.all.send_redirects",
    "net.ipv4.conf.eth0.send_redirects",
    "net.ipv4.vs.conntrack",
    *(
        f"net.ipv4.conf.default.{n}"
        for n in ("arp_ignore", "arp_announce", "rp_filter")
    ),
)


def hosts():
    more = tuple((key, "1" if "redirects" in key else "0") for key in KEYS)
    return {
        name: replace(state, sysctls=state.sysctls + more, boot=READY)
        for name, state in {"lb01": director(), "web1": real_server()}.items()
    }


@pytest.mark.parametrize("services", modes().values(), ids=modes())
def test_after_a_boot_the_host_is_as_wished(boot, services):
    before = hosts()
    wishes = host_wishes(wish(*services), before)
    for name, state in before.items():
        text = boot_text(name, state, wishes[name])
        host = ModelHost(state)
        if wishes[name] == HostWish():
            assert text == ""
            continue
        assert boot(text, host).returncode == 0
        # All but the boot file, which is not there in this model.
        left = plan({name: host.state}, wishes, {}).changes
        assert [c.command.argv for c in left if c.writes] == [
            boot_place.write_boot(text).argv
        ]
        assert boot_text(name, host.state, wishes[name]) == text


@pytest.mark.parametrize("services", modes().values(), ids=modes())
def test_the_host_lets_us_run_every_command_of_the_file(services):
    before = hosts()
    for name, role in (("lb01", "director"), ("web1", "real_server")):
        wanted = host_wishes(wish(*services), before)[name]
        text = boot_text(name, before[name], wanted)
        if text:
            assert allowed(role, boot_place.write_boot(text))
            assert script.read(text.encode())


def test_a_director_that_stands_by_loads_ip_vs_before_its_sysctls(boot):
    settings = Settings(
        Timeouts(tcp=600),
        (("expire_nodest_conn", "1"),),
        (("lb02", SyncDaemon(SyncRole.BACKUP, "eth0", 7)),),
    )
    wanted = ClusterWish("lb01", settings=settings, directors=("lb02",))
    state = replace(director(), boot=READY)
    text = boot_text("lb02", state, host_wishes(wanted, {"lb02": state})["lb02"])
    listing, sysctl = text.index("ipvsadm -Sn"), text.index("net.ipv4.vs.")
    assert listing < sysctl
    host = ModelHost(director())
    assert boot(text, host).returncode == 0
    assert host.state.settings.timeouts.tcp == 600
    assert host.state.settings.daemon(SyncRole.BACKUP).syncid == 7
    assert dict(host.state.sysctls)["net.ipv4.vs.expire_nodest_conn"] == "1"


def test_a_vip_that_another_host_has_meanwhile_is_not_bound(boot):
    state = hosts()["lb01"]
    wishes = host_wishes(wish(service(), service(SECOND)), {"lb01": state})
    text = boot_text("lb01", state, wishes["lb01"])
    host = ModelHost(state)
    done = boot(text, host, taken=[VIP])
    assert done.returncode == 1, "so that systemd shows the unit as failed"
    assert "failed: sudo -n arping -D" in done.stderr
    bound = {str(b.address) for b in host.state.addresses}
    assert SECOND in bound
    assert VIP not in bound
    assert at() in host.state.table.by_address


@pytest.mark.parametrize(
    "line",
    [
        "id",
        "run id",
        "run sudo -n sh",
        "run sudo -n ipvsadm -Sn; id",
        "run sudo -n ipvsadm -Sn `id`",
        "run sudo -n ipvsadm -Sn > /tmp/x",
        "run sudo -n ipvsadm -R <<END\n$(id)\nEND\nid",
        "if id; then",
        "} ; id",
    ],
)
def test_a_file_with_another_line_is_none_of_our_commands(line):
    state = hosts()["lb01"]
    wanted = host_wishes(wish(service()), {"lb01": state})["lb01"]
    text = boot_text("lb01", state, wanted)
    assert allowed("director", boot_place.write_boot(text))
    assert not allowed("director", boot_place.write_boot(f"{text}{line}\n"))
    write = boot_place.write_boot(text)
    argv = tuple("/home/piranha/.bashrc" if w == BOOT_FILE else w for w in write.argv)
    assert not allowed("director", replace(write, argv=argv))


def test_the_file_is_written_last_and_taken_away_with_the_last_service():
    states = hosts()
    wishes = host_wishes(wish(service()), states)
    found = plan(states, wishes, {})
    assert [c.host for c in found.changes[-2:]] == ["lb01", "web1"]
    write = found.changes[-2]
    assert write.undo == boot_place.remove(BOOT_FILE)
    text = write.command.stdin.decode()
    there = BootPlace(True, boot_place.digest(text), text)
    served = {"lb01": replace(states["lb01"], boot=there)}
    ours = {"lb01": found.adds["lb01"].still_on(served["lb01"])}
    assert ours == {"lb01": Footprint(boot=True)}
    (gone,) = plan(served, {}, ours).changes
    assert gone.command == boot_place.remove(BOOT_FILE)
    assert gone.undo == boot_place.write_boot(text)


def test_a_file_that_somebody_edited_is_written_anew_and_does_not_come_back():
    """Only what was made here is sent to a host, see script.py."""
    state = replace(hosts()["lb01"], boot=BootPlace(True, "d1gest", "echo by hand\n"))
    wishes = host_wishes(wish(service()), {"lb01": state})
    last = plan({"lb01": state}, wishes, {}).changes[-1]
    assert last.undo == boot_place.remove(BOOT_FILE)
    assert "edited by hand" in str(last.undo_note)


def test_a_host_that_is_not_prepared_gets_no_file():
    state = replace(hosts()["lb01"], boot=BootPlace())
    wishes = host_wishes(wish(service()), {"lb01": state})
    argvs = [c.command.argv for c in plan({"lb01": state}, wishes, {}).changes]
    assert not [argv for argv in argvs if "sh" in argv]


# -- the place ------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A place in a directory of the test, and what a host would say about it."""
    root = tmp_path / "host"
    for folder in ("etc/piranha-lvs", "wants", "run"):
        (root / folder).mkdir(parents=True)
    for name, text in boot_place.units("lvs").items():
        (root / name).write_text(text)
    (root / "wants" / boot_place.BOOT_UNIT).symlink_to(root / boot_place.BOOT_UNIT)

    def ask():
        spelled = {
            boot_place.ENABLED: root / "wants" / boot_place.BOOT_UNIT,
            f"{boot_place.UNITS}/{boot_place.RETURN_UNIT}": root
            / boot_place.RETURN_UNIT,
            boot_place.TRANSIENT: root / "run",
            boot_place.PLACE: root / "etc/piranha-lvs",
            BOOT_FILE: root / "etc/piranha-lvs/boot.sh",
        }
        words = [str(spelled.get(w, w)) for w in boot_place.QUESTION.argv]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return boot_place.read(done.stdout, "lvs")

    ask.root = root
    return ask


def test_what_is_at_the_place_is_read_as_it_is(place):
    assert place() == BootPlace(ready=True)
    text = "#!/bin/sh\necho 'boot 7'\nreturns nothing\n"
    (place.root / "etc/piranha-lvs/boot.sh").write_text(text)
    (place.root / "etc/piranha-lvs/return-42.sh").write_text("exit")
    (place.root / "run/piranha-return@42.timer").write_text("")
    (place.root / "run/other.timer").write_text("")
    found = place()
    assert found.digest == boot_place.digest(text)
    assert found.returns == ("piranha-return@42.timer", "return-42.sh")
    assert found.ready
    assert BootPlace.from_json(found.as_json()) == found


@pytest.mark.parametrize("missing", ["wants/piranha-lvs.service", "etc/piranha-lvs"])
def test_a_place_that_lacks_something_is_not_ready(place, missing):
    path = place.root / missing
    path.rmdir() if path.is_dir() else path.unlink()
    assert not place().ready


def test_another_text_of_a_unit_is_not_ready(place):
    (place.root / boot_place.RETURN_UNIT).write_text("[Service]\nExecStart=/bin/sh\n")
    assert not place().ready


def test_a_text_that_was_cut_off_on_its_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "boot.sh"
    whole = boot_place.write_boot("#!/bin/sh\n" + "echo new\n" * 100)
    argv = [str(path) if word == BOOT_FILE else word for word in whole.argv]
    for data, status in ((whole.stdin[:50], 1), (whole.stdin, 0)):
        path.write_text("old")
        done = subprocess.run(argv, input=data, check=False)
        assert (done.returncode != 0) == bool(status)
        assert path.read_text() == ("old" if status else whole.stdin.decode())


def test_old_rows_without_a_boot_file_are_read():
    data = HostState().as_json()
    del data["boot"]
    assert HostState.from_json(data).boot == BootPlace()
    data = Footprint(services=(at(),)).as_json()
    del data["boot"]
    assert not Footprint.from_json(data).boot


def test_addresses_of_the_source_are_the_directors_own():
    states = hosts()
    nat = service(servers=[server(method=ForwardingMethod.NAT)], source_nat=True)
    text = boot_text("lb01", states["lb01"], host_wishes(wish(nat), states)["lb01"])
    assert f"--to-source {ip_address('10.0.1.3')}" in text
    assert text.index("ipvsadm -Sn") < text.index("vs.conntrack=1")
