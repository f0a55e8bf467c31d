"""The values of shell.py: secrets that do not show, keys, errors."""

import copy
import json
import pickle
import subprocess

import pytest

from cluster.remote.paramiko_shell import new_key_pair
from cluster.remote.shell import HostKey, HostKeyChanged, Secret, Target, Unreachable

ED25519 = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
)


@pytest.mark.parametrize(
    "show", [str, repr, "{}".format, "{:>9}".format, "%s".__mod__, "%r".__mod__]
)
def test_a_secret_never_shows(show):
    assert "canary" not in show(Secret("canary"))
    assert "canary" not in str([Secret("canary")])


def test_a_target_does_not_show_its_key():
    target = Target("lb01", "10.0.1.3", 22, "piranha", None, Secret("canary"))
    assert "canary" not in repr(target)
    assert "****" in repr(target)


def test_a_secret_goes_into_no_queue():
    for write in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            write(Secret("canary"))


def test_a_secret_can_be_copied_and_compared():
    assert copy.deepcopy(Secret("canary")) == Secret("canary")
    assert Secret("canary") != "canary"
    assert Secret("canary").reveal() == "canary"


def test_a_host_key_line_is_read_and_written():
    key = HostKey.parse(f" {ED25519} root@lb01 and more\n")
    assert key.line == ED25519
    assert key.type == "ssh-ed25519"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "AAAAC3NzaC1lZDI1NTE5",
        "ssh-dss AAAAB3NzaC1kc3M=",
        "ssh-ed25519 not-base64!",
        "ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQABAAABAQ==",
        ED25519.replace("ssh-ed25519", "ssh-rsa"),
        f"lb01 {ED25519}",
    ],
)
def test_what_is_no_host_key_is_refused(line):
    with pytest.raises(ValueError, match="key"):
        HostKey.parse(line)


def test_the_fingerprint_is_the_one_of_ssh_keygen(sshd):
    for kind, key in sshd.host_keys.items():
        path = sshd.folder / f"{kind}.pub"
        shown = subprocess.check_output(["ssh-keygen", "-lf", path], text=True)
        assert key.fingerprint == shown.split()[1]


def test_errors_survive_a_task_queue():
    key = HostKey.parse(ED25519)
    for error in (
        Unreachable("lb01", "lb01 did not answer."),
        HostKeyChanged("lb01", "lb01 is another host.", key, None),
    ):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.host == "lb01"


def test_openssh_takes_our_keys(tmp_path):
    pair = new_key_pair()
    path = tmp_path / "key"
    path.write_text(pair.private.reveal())
    path.chmod(0o600)
    public = subprocess.check_output(["ssh-keygen", "-yf", path], text=True)
    assert public.split()[:2] == pair.public.split()[:2]
    assert pair.public.endswith(" piranha")
