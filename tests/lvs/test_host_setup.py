"""What a person copies to a host, and what a host lacks."""

import subprocess

import pytest

from cluster.lvs import host_setup, privileges
from cluster.lvs.host_facts import System

DEBIAN = System("debian")
KEY = "ssh-ed25519 AAAA piranha"


@pytest.mark.parametrize("role", privileges.ROLES)
def test_the_samples_try_every_rule_and_nothing_else(role):
    """So that a look at a host tests the whole file."""
    samples = host_setup.sample_commands(role)
    rules = [rule for group in privileges.rules_for(role).values() for rule in group]
    for rule in rules:
        assert any(rule.allows(command.argv) for command in samples), rule
    for command in samples:
        assert command.root
        assert privileges.allowed(role, command), command.line


def test_asking_about_a_command_does_not_run_it():
    command = host_setup.sample_commands("probe")[0]
    asked = host_setup.may_i(command)
    assert asked.words == ("sudo", "-n", "-l", *command.argv)
    assert not asked.root


@pytest.mark.parametrize("role", privileges.ROLES)
@pytest.mark.parametrize(
    "text", [host_setup.make_user("lvs", KEY), "install_sudoers"], ids=["user", "sudo"]
)
def test_the_commands_are_sound_shell(role, text):
    if text == "install_sudoers":
        text = host_setup.install_sudoers(role, "lvs")
    done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("role", privileges.ROLES)
def test_the_file_that_is_written_is_the_generated_one(role, tmp_path):
    """The commands are run, with a visudo that only shows what it was given."""
    shown = tmp_path / "shown"
    (tmp_path / "visudo").write_text(f'#!/bin/sh\ncat "$3" > {shown}; exit 1\n')
    (tmp_path / "visudo").chmod(0o755)
    subprocess.run(
        ["sh", "-c", host_setup.install_sudoers(role, "lvs")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        check=True,
    )
    assert shown.read_text() == privileges.sudoers(role, "lvs")
    assert not list(tmp_path.glob("tmp.*"))


def test_packages_have_the_names_of_their_distribution():
    assert host_setup.install_packages("director", "debian") == (
        "apt-get install sudo iproute2 ipvsadm iputils-arping procps"
    )
    assert host_setup.install_packages("real_server", "rhel") == (
        "dnf install sudo iproute procps-ng kmod"
    )


def test_a_complete_host_lacks_nothing():
    everything = ("arping", "curl", "ip", "ipvsadm", "modprobe", "sudo", "sysctl")
    for role in privileges.ROLES:
        found = host_setup.lacks(role, DEBIAN, everything, ("ip_vs",), "1.9.13p3")
        assert found == []


def test_what_is_missing_comes_with_the_command_that_brings_it():
    found = host_setup.lacks(
        "director", DEBIAN, ("sudo", "ip", "sysctl"), (), "1.9.5p2"
    )
    assert [(str(lack.sentence), lack.install) for lack in found] == [
        ("ipvsadm is not installed.", "apt-get install ipvsadm"),
        ("arping is not installed.", "apt-get install iputils-arping"),
        (
            "sudo is 1.9.5p2; the sudoers file needs 1.9.10.",
            "apt-get install sudo",
        ),
        (
            "The kernel has no module ip_vs; some small kernels leave it out.",
            "apt-get install linux-image-amd64",
        ),
    ]


def test_for_an_unknown_distribution_no_command_is_invented():
    found = host_setup.lacks(
        "real_server", System("alpine"), ("sudo", "ip", "modprobe"), (), ""
    )
    assert [lack.install for lack in found] == [""]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ssh-ed25519 AAAA", "ed25519"),
        ("ecdsa-sha2-nistp256 AAAA", "ecdsa"),
        ("ssh-rsa AAAA", "rsa"),
        ("", "ed25519"),
    ],
)
def test_the_command_to_compare_names_the_type_of_the_key(key, name):
    command = host_setup.print_fingerprint(key)
    assert command == f"ssh-keygen -lf /etc/ssh/ssh_host_{name}_key.pub"


def test_nothing_is_touched_when_the_user_exists(tmp_path):
    """useradd fails then; what follows must not replace the keys of others."""
    for name, status in (("useradd", 9), ("install", 0)):
        tool = tmp_path / name
        tool.write_text(f'#!/bin/sh\necho {name} >> "{tmp_path}/ran"; exit {status}\n')
        tool.chmod(0o755)
    subprocess.run(
        ["/bin/sh", "-c", host_setup.make_user("lvs", KEY)],
        env={"PATH": str(tmp_path)},
        check=False,
    )
    assert (tmp_path / "ran").read_text() == "useradd\n"
