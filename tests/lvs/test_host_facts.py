"""What hosts print, read by pure functions; the samples are real answers."""

from pathlib import Path

import pytest

from cluster.lvs import host_facts
from cluster.lvs.host_facts import Link, System

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> str:
    return (SAMPLES / "debian12" / name).read_text()


def test_one_answer_holds_four_files():
    files = host_facts.parse_files(sample("files"))
    system = host_facts.parse_os_release(files[host_facts.OS_RELEASE])
    assert system == System("debian", "", "Debian GNU/Linux 12 (bookworm)")
    assert host_facts.kernel_release(files[host_facts.KERNEL]) == "6.1.176"
    assert files[host_facts.IP_FORWARD] in ("0", "1")
    loaded = host_facts.parse_loaded(files[host_facts.MODULES])
    assert "ip_vs" in loaded
    assert all(name.startswith("ip_vs") for name in loaded)


def test_modules_on_disk():
    found = host_facts.parse_on_disk(sample("modules-on-disk"))
    assert {"ip_vs", "ip_vs_rr", "ip_vs_wlc", "ip_vs_mh"} <= set(found)
    assert "nf_conntrack" not in found


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("kernel/net/netfilter/ipvs/ip_vs_rr.ko: kernel/x.ko", "ip_vs_rr"),
        ("kernel/net/netfilter/ipvs/ip_vs_sh.ko.xz: kernel/x.ko.xz", "ip_vs_sh"),
        ("kernel/net/netfilter/ipvs/ip_vs_mh.ko.zst:", "ip_vs_mh"),
        ("kernel/net/netfilter/ipvs/ip_vs.ko", "ip_vs"),  # modules.builtin
    ],
)
def test_modules_may_be_compressed_or_built_in(line, name):
    assert host_facts.parse_on_disk(line) == (name,)


def test_devices_and_addresses():
    links = {link.name: link for link in host_facts.parse_links(sample("ip-addr.json"))}
    assert links["lo"].state == "UP"  # the kernel says UNKNOWN of a device without one
    eth0 = links["eth0"]
    assert (eth0.mac, eth0.mtu) == ("02:00:0a:00:01:03", 1500)
    assert "10.0.1.3/24" in eth0.addresses


def test_default_route():
    text = sample("ip-route-default.json")
    assert host_facts.parse_default_route(text) == "10.0.1.250 dev eth0"
    assert host_facts.parse_default_route("[]") == ""
    assert host_facts.parse_default_route('[{"dev": "ppp0"}]') == "dev ppp0"


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("sudo-version", "1.9.13p3"),
        ("ipvsadm-version", "1.31"),
        ("keepalived-version", "2.2.7"),
    ],
)
def test_versions(name, version):
    assert host_facts.parse_version(sample(name)) == version


def test_programs_are_found_in_any_of_their_places():
    found = host_facts.parse_programs(sample("programs"))
    assert set(found) == set(host_facts.PROGRAMS)
    assert host_facts.parse_programs("/usr/sbin/arping\n") == ("arping",)


@pytest.mark.parametrize(
    ("text", "system"),
    [
        (
            'ID="rocky"\nID_LIKE="rhel fedora"\nPRETTY_NAME="Rocky Linux 9.4 (Blue)"',
            System("rocky", "rhel fedora", "Rocky Linux 9.4 (Blue)"),
        ),
        (
            "ID=ubuntu\nID_LIKE=debian\nNAME=Ubuntu",
            System("ubuntu", "debian", "Ubuntu"),
        ),
        ("# comment\nID='alpine'\n", System("alpine")),
        ('NAME="half a quote\n', System("", "", '"half a quote')),
        ("", System()),
    ],
)
def test_os_release(text, system):
    assert host_facts.parse_os_release(text) == system


@pytest.mark.parametrize(
    ("system", "family"),
    [
        (System("debian"), "debian"),
        (System("linuxmint", "ubuntu debian"), "debian"),
        (System("fedora"), "rhel"),
        (System("rocky", "rhel centos fedora"), "rhel"),
        (System("alpine"), ""),
    ],
)
def test_families(system, family):
    assert system.family == family


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("1.9.13p3", False),
        ("1.9.10", False),
        ("1.9.9", True),
        ("1.9.5p2", True),
        ("1.8.31", True),
        ("1.10", False),
        ("2.0", False),
        ("", False),
    ],
)
def test_old_sudo(version, old):
    assert host_facts.sudo_is_old(version) is old


@pytest.mark.parametrize(
    "text", ["", "6.1; rm -rf /", "../../etc", "6.1\nx", "$(id)", "6 1", "-6"]
)
def test_a_release_that_is_none_never_becomes_a_path(text):
    assert host_facts.kernel_release(text) == ""


@pytest.mark.parametrize("text", ["", "nonsense", "{}", "[1, 2]", "null", '["x"]'])
def test_answers_that_are_no_json_lists_give_nothing(text):
    assert host_facts.parse_links(text) == ()
    assert host_facts.parse_default_route(text) == ""


def test_a_link_with_half_its_fields():
    assert host_facts.parse_links("[{}]") == (Link("", "", 0, "", ()),)


def test_a_fingerprint_is_what_ssh_keygen_prints():
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA5uy7nSmaqjODDS/wwXS/BcbRRal92R/Mm1Ixat1nte"
    expected = "SHA256:QWq7DbI1s+u2SW1NMIFJA541E9nmIjXtR6e5wyrKxbs"
    assert host_facts.fingerprint(key) == expected
