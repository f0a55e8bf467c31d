"""The hosts of the lab: identity, rights, power, and real LVS traffic."""

import re
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.running import REPOSITORY, Lab, listening

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
VIP = "10.0.1.31"


def login_words(lab: Lab, host: str, command: str) -> list[str]:
    """Log in as the dashboard would, with nothing but what hosts.json says."""
    row = lab.hosts[host]
    known = lab.state / f"known-{host}"
    known.write_text(f"{host} {row['host_key']}\n")
    options = {
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known),
        "HostKeyAlias": host,
        "ConnectTimeout": "10",
    }
    words = ["ssh", "-F", "none", "-i", lab.facts["private_key_file"]]
    words += ["-p", str(row["ssh_port"])]
    words += [word for pair in options.items() for word in ("-o", "=".join(pair))]
    return [*words, f"{lab.facts['user']}@{row['ssh_address']}", command]


def as_dashboard(lab: Lab, host: str, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        login_words(lab, host, command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_hosts_and_addresses_are_those_of_the_notes(lab: Lab) -> None:
    addresses = {name: row["address"] for name, row in lab.hosts.items()}
    assert addresses == {
        "lb01": "10.0.1.3",
        "lb02": "10.0.1.5",
        "web1": "10.0.1.6",
        "web2": "10.0.1.9",
        "client": "10.0.1.100",
    }
    for name, address in addresses.items():
        found = lab.ssh(name, "hostname; ip -4 -o address show eth0")
        assert found.startswith(f"{name}\n")
        assert f"inet {address}/24 " in found


def test_each_host_has_its_own_kernel_and_host_key(lab: Lab) -> None:
    machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    ids = [lab.boot_id(host) for host in lab.hosts]
    assert len({machine, *ids}) == 6
    assert len({row["host_key"] for row in lab.hosts.values()}) == 5


def test_ip_vs_and_every_scheduler_is_there(lab: Lab) -> None:
    schedulers = [
        "rr",
        "wrr",
        "lc",
        "wlc",
        "lblc",
        "lblcr",
        "dh",
        "sh",
        "sed",
        "nq",
        "fo",
        "ovf",
        "mh",
    ]
    tries = [f"modprobe -n ip_vs_{scheduler}" for scheduler in schedulers]
    lab.ssh("lb02", " && ".join(["modprobe -n ip_vs", *tries]))


@pytest.mark.parametrize("host", ["lb01", "lb02", "web1", "web2", "client"])
def test_the_dashboard_may_use_its_rights_and_no_others(lab: Lab, host: str) -> None:
    login = as_dashboard(lab, host, "id -un; sudo -n -l")
    assert login.returncode == 0, login.stderr
    assert login.stdout.startswith("piranha\n")
    assert "PIRANHA" in login.stdout or "(root : root) NOPASSWD" in login.stdout
    refused = as_dashboard(lab, host, "sudo -n cat /etc/shadow")
    assert refused.returncode == 1
    assert refused.stdout == ""
    generated = subprocess.run(
        ["python3", "-m", "cluster.lvs.privileges", lab.hosts[host]["role"]],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert lab.ssh(host, "cat /etc/sudoers.d/piranha") == generated.stdout


def test_a_director_gives_its_table_to_the_dashboard(lab: Lab) -> None:
    answer = as_dashboard(lab, "lb01", "sudo -n ipvsadm -Sn")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_root_does_not_let_the_dashboard_in(lab: Lab) -> None:
    key = lab.facts["private_key_file"]
    port = str(lab.hosts["web1"]["ssh_port"])
    words = ["ssh", "-F", "none", "-i", key, "-p", port, "-o", "IdentitiesOnly=yes"]
    words += ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]
    words += ["-o", "UserKnownHostsFile=/dev/null", "root@127.0.0.1", "true"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert "Permission denied" in done.stderr


def test_private_keys_are_for_their_owner_only(lab: Lab) -> None:
    for name in ("piranha_ed25519", "root_ed25519"):
        assert (lab.state / name).stat().st_mode & 0o777 == 0o600


def test_nothing_listens_beyond_loopback(lab: Lab) -> None:
    """Neither the gate, nor a host, nor anything with one of the lab's ports."""
    ports = {row["ssh_port"] for row in lab.hosts.values()}
    found = listening()
    assert ports <= {port for _, port in found}
    assert {address for address, port in found if port in ports} == {"0100007F"}


def test_a_power_cut_keeps_disk_and_host_key(lab: Lab) -> None:
    before, key = lab.boot_id("web2"), lab.hosts["web2"]["host_key"]
    lab.ssh("web2", "echo kept >/root/disk && sync; echo lost >/run/memory")
    try:
        lab.power("web2", "off")
        refused = lab.run("ssh", "web2", "true")
        assert refused.returncode == 1
        assert "web2 is off" in refused.stderr
        away = as_dashboard(lab, "web2", "true")
        assert away.returncode == 255
    finally:
        lab.power("web2", "on")
    assert lab.boot_id("web2") != before
    assert lab.ssh("web2", "cat /root/disk; ls /run/memory || true") == "kept\n"
    assert lab.hosts["web2"]["host_key"] == key
    assert as_dashboard(lab, "web2", "true").returncode == 0
    lab.ssh("web2", "rm /root/disk")


def test_a_connection_to_a_host_that_loses_power_ends_soon(lab: Lab) -> None:
    """And a new one is refused at once, rather than left waiting."""
    words = login_words(lab, "web2", "echo here; sleep 600")
    try:
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as login:
            assert login.stdout
            assert login.stdout.readline() == "here\n"
            lab.power("web2", "off")
            assert login.wait(timeout=90) == 255
        away = as_dashboard(lab, "web2", "true")
        assert away.returncode == 255
        assert "timed out" not in away.stderr
    finally:
        lab.power("web2", "on")


def test_the_gate_has_nothing_to_complain_about(lab: Lab) -> None:
    for _ in range(5):  # more at once, and sshd itself turns some away (MaxStartups)
        address = ("127.0.0.1", lab.hosts["web1"]["ssh_port"])
        with socket.create_connection(address) as visitor:
            linger = struct.pack("ii", 1, 0)
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    eventually(lambda: as_dashboard(lab, "web1", "true").returncode == 0)
    assert (lab.state / "gate.log").read_text() == ""


def test_much_goes_through_the_gate_unchanged(lab: Lab) -> None:
    made = "head -c 20000000 /dev/zero | tr '\\0' x"
    answer = as_dashboard(lab, "web1", made)
    assert (answer.returncode, len(answer.stdout)) == (0, 20_000_000)
    assert set(answer.stdout) == {"x"}


def test_up_leaves_running_hosts_alone(lab: Lab) -> None:
    before = [lab.boot_id(host) for host in lab.hosts]
    lab.start()
    assert [lab.boot_id(host) for host in lab.hosts] == before


ON_WEB = (
    f"sysctl -qw net.ipv4.conf.{{all,lo}}.arp_ignore=1"
    f" net.ipv4.conf.{{all,lo}}.arp_announce=2"
    f" && ip addr add {VIP}/32 dev lo label lo:1"
)
OFF_WEB = (
    f"ip addr del {VIP}/32 dev lo label lo:1;"
    f" sysctl -qw net.ipv4.conf.{{all,lo}}.arp_ignore=0"
    f" net.ipv4.conf.{{all,lo}}.arp_announce=0"
)
ON_DIRECTOR = (
    f"ip addr add {VIP}/24 dev eth0 label eth0:1 && ipvsadm -A -t {VIP}:80 -s rr"
    f" && ipvsadm -a -t {VIP}:80 -r 10.0.1.6 -g"
    f" && ipvsadm -a -t {VIP}:80 -r 10.0.1.9 -g"
)
OFF_DIRECTOR = f"ipvsadm -D -t {VIP}:80; ip addr del {VIP}/24 dev eth0 label eth0:1"


@pytest.fixture
def direct_routing(lab: Lab) -> Iterator[None]:
    """Build the walk-through of the notes by hand, and take it down again."""
    lab.clean()
    # Nobody announces a VIP that is bound by hand: the client shall ask for it.
    ask = f"ip neigh flush dev eth0; arping -D -c 2 -w 3 -I eth0 {VIP}"
    free = lab.run("ssh", "client", ask)
    assert free.returncode == 0, "somebody answers for the VIP already"
    try:
        for web in ("web1", "web2"):
            lab.ssh(web, ON_WEB)
        lab.ssh("lb01", ON_DIRECTOR)
        yield
    finally:
        lab.run("ssh", "lb01", OFF_DIRECTOR)
        for web in ("web1", "web2"):
            lab.run("ssh", web, OFF_WEB)


def connections(lab: Lab) -> int:
    # The kernel adds up every 2 s of its own clock.
    stats = lab.ssh("lb01", "sleep 2.5; ipvsadm -Ln --stats --exact")
    found = re.search(rf"^TCP +{VIP}:80 +(\d+) ", stats, re.MULTILINE)
    assert found, stats
    return int(found[1])


@pytest.mark.usefixtures("direct_routing")
def test_direct_routing_by_hand_as_in_the_notes(lab: Lab) -> None:
    asked = f"for i in 1 2 3 4; do curl -s --max-time 20 http://{VIP}/; done"
    answers = lab.ssh("client", asked).split()
    assert answers in (["web1", "web2"] * 2, ["web2", "web1"] * 2)
    seen = lab.ssh("web1", "tail -n 1 /var/log/nginx/access.log")
    assert seen.startswith("10.0.1.100 ")
    assert connections(lab) == 4


@pytest.mark.usefixtures("direct_routing")
def test_traffic_follows_the_virtual_services(lab: Lab) -> None:
    targets = "cat /run/lab-traffic/targets 2>/dev/null || echo none"
    lab.must("traffic", "on")
    try:
        eventually(lambda: connections(lab) >= 20)
        assert lab.ssh("client", targets) == f"http://{VIP}:80/\n"
        lab.ssh("lb01", f"ipvsadm -D -t {VIP}:80")
        eventually(lambda: lab.ssh("client", targets).strip() == "")
    finally:
        lab.must("traffic", "off")
    eventually(lambda: lab.ssh("client", targets) == "none\n")


def eventually(true: Callable[[], bool], within: float = 180) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "did not become true in time"
        time.sleep(1)


def test_an_unknown_host_is_refused_with_the_names_there_are(lab: Lab) -> None:
    done = lab.run("ssh", "web9", "true")
    assert done.returncode == 1
    assert "lb01, lb02, web1, web2, client" in done.stderr
