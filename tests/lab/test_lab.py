"""The lab itself: hosts, power, names of things left behind, and real LVS traffic."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.running import REPOSITORY, Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
VIP = "10.0.1.31"


def as_dashboard(lab: Lab, host: str, command: str) -> subprocess.CompletedProcess[str]:
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
    words += [f"{lab.facts['user']}@{row['ssh_address']}", command]
    return subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def boot_id(lab: Lab, host: str) -> str:
    return lab.ssh(host, "cat /proc/sys/kernel/random/boot_id").strip()


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
    ids = [boot_id(lab, host) for host in lab.hosts]
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


def listening() -> list[tuple[str, int]]:
    rows = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            place, state = line.split()[1], line.split()[3]
            if state == "0A":
                address, _, port = place.partition(":")
                rows.append((address, int(port, 16)))
    return rows


def test_a_power_cut_keeps_disk_and_host_key(lab: Lab) -> None:
    before, key = boot_id(lab, "web2"), lab.hosts["web2"]["host_key"]
    lab.ssh("web2", "echo kept >/root/disk && sync; echo lost >/run/memory")
    lab.power("web2", "off")
    refused = lab.run("ssh", "web2", "true")
    assert refused.returncode == 1
    assert "web2 is off" in refused.stderr
    away = as_dashboard(lab, "web2", "true")
    assert away.returncode == 255
    lab.power("web2", "on")
    assert boot_id(lab, "web2") != before
    assert lab.ssh("web2", "cat /root/disk; ls /run/memory || true") == "kept\n"
    assert lab.hosts["web2"]["host_key"] == key
    assert as_dashboard(lab, "web2", "true").returncode == 0
    lab.ssh("web2", "rm /root/disk")


def test_up_leaves_running_hosts_alone(lab: Lab) -> None:
    before = [boot_id(lab, host) for host in lab.hosts]
    lab.start()
    assert [boot_id(lab, host) for host in lab.hosts] == before


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


def test_direct_routing_by_hand_as_in_the_notes(lab: Lab) -> None:
    free = lab.run("ssh", "client", f"arping -D -c 2 -w 3 -I eth0 {VIP}")
    assert free.returncode == 0, "somebody answers for the VIP already"
    try:
        for web in ("web1", "web2"):
            lab.ssh(web, ON_WEB)
        lab.ssh("lb01", ON_DIRECTOR)
        asked = f"for i in 1 2 3 4; do curl -s --max-time 5 http://{VIP}/; done"
        answers = lab.ssh("client", asked).split()
        assert answers in (["web1", "web2"] * 2, ["web2", "web1"] * 2)
        seen = lab.ssh("web1", "tail -n 1 /var/log/nginx/access.log")
        assert seen.startswith("10.0.1.100 ")
        stats = lab.ssh("lb01", "ipvsadm -Ln --stats --exact")
        assert re.search(rf"^TCP +{VIP}:80 +4 ", stats, re.MULTILINE)
    finally:
        lab.run("ssh", "lb01", OFF_DIRECTOR)
        for web in ("web1", "web2"):
            lab.run("ssh", web, OFF_WEB)


@pytest.fixture
def small(tmp_path: Path) -> Lab:
    """Another instance beside the running one, with one host, not started."""
    return Lab("small", 2600, only="web1", data=tmp_path)


def own_processes(namespace: Path) -> list[int]:
    """Processes that are in this network namespace now."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns" / "net").readlink() == namespace:
                found.append(int(process.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


def links() -> str:
    return subprocess.run(
        ["ip", "-o", "link"], capture_output=True, text=True, check=True
    ).stdout


def test_stop_leaves_nothing_behind(lab: Lab, small: Lab) -> None:
    links_before, ports_before = links(), set(listening())
    small.start()
    try:
        key = small.hosts["web1"]["host_key"]
        gate = re.search(r'"pid": (\d+)', (small.state / "gate.json").read_text())
        assert gate
        namespace = Path(f"/proc/{gate[1]}/ns/net").readlink()
        assert namespace != Path("/proc/self/ns/net").readlink()
        assert len(own_processes(namespace)) >= 2
        assert links() == links_before, "the machine's own network was touched"
        small.must("reset")
        assert small.hosts["web1"]["host_key"] != key
    finally:
        small.stop()
    assert own_processes(namespace) == []
    assert links() == links_before
    assert set(listening()) == ports_before
    assert not small.up
    assert not list(small.state.glob("**/process.json"))
    assert lab.ssh("web1", "hostname") == "web1\n"


def test_a_gate_that_died_comes_back_to_the_same_hosts(small: Lab) -> None:
    small.start()
    try:
        before = boot_id(small, "web1")
        gate = re.search(r'"pid": (\d+)', (small.state / "gate.json").read_text())
        assert gate
        os.kill(int(gate[1]), 9)
        small.start()
        assert boot_id(small, "web1") == before
    finally:
        small.stop()


def test_a_taken_port_is_named_and_nothing_is_started(lab: Lab, small: Lab) -> None:
    taken = str(lab.ports)
    done = small.run("up", PIRANHA_LAB_PORTS=taken)
    assert done.returncode == 1
    assert "Port 2406 for web1 cannot be used" in done.stderr
    assert not list(small.state.glob("**/process.json"))
    assert not (small.state / "gate.json").exists()


def test_without_a_tun_device_it_says_so_and_makes_nothing(small: Lab) -> None:
    hide = "mount -t tmpfs none /dev/net && exec lab/up"
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", hide],
        cwd=REPOSITORY,
        env=os.environ | {"PIRANHA_DATA": str(small.data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "/dev/net/tun" in done.stderr
    assert not list(small.data.iterdir())


def test_without_the_package_and_without_apt_it_says_so(small: Lab) -> None:
    empty = small.data / "bin"
    empty.mkdir()
    done = small.run("up", PATH=str(empty))
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "user-mode-linux" in done.stderr
    assert list(small.data.iterdir()) == [empty]


def test_an_unknown_host_is_refused_with_the_names_there_are(lab: Lab) -> None:
    done = lab.run("ssh", "web9", "true")
    assert done.returncode == 1
    assert "lb01, lb02, web1, web2, client" in done.stderr
