"""The lab's hosts become the cluster "lab", once, and follow the lab."""

import json

import pytest
from django.core.management import CommandError, call_command

from cluster import audit
from cluster.models import AuditEvent, Cluster, Host
from cluster.remote.paramiko_shell import new_key_pair
from tests.hosts import KEY, OTHER_KEY, make_cluster, make_host

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(tmp_path):
    """Return a function that writes what the lab writes, with changes to lb01."""
    pair = new_key_pair()
    private = tmp_path / "piranha_ed25519"
    private.write_text(pair.private.reveal())
    private.with_suffix(".pub").write_text(pair.public + "\n")

    def write(**lb01):
        hosts = [
            row("lb01", "director", "10.0.1.3", 2203) | lb01,
            row("lb02", "director", "10.0.1.5", 2205),
            row("web1", "real_server", "10.0.1.6", 2206),
        ]
        data = {"user": "piranha", "private_key_file": str(private), "hosts": hosts}
        path = tmp_path / "hosts.json"
        path.write_text(json.dumps(data))
        return path

    return write


def row(name, role, address, port):
    return {
        "name": name,
        "role": role,
        "address": address,
        "ssh_address": "127.0.0.1",
        "ssh_port": port,
        "host_key": KEY,
    }


def register(path):
    call_command("register_lab", file=path)


def test_hosts_are_registered_with_their_fingerprints(lab, capsys):
    register(lab())
    cluster = Cluster.objects.get()
    assert [h.name for h in cluster.hosts.all()] == ["lb01", "lb02", "web1"]
    assert cluster.director.name == "lb01"
    host = cluster.hosts.get(name="lb01")
    assert (host.host_key, host.ssh_port, host.ssh_user) == (KEY, 2203, "piranha")
    assert host.accepted_at
    assert "OPENSSH" in host.credential.unseal()
    assert "that the lab handed over" in AuditEvent.objects.get(host="lb01").text
    assert ", real server, with" in AuditEvent.objects.get(host="web1").text
    assert "OPENSSH" not in capsys.readouterr().out


def test_again_changes_nothing(lab, capsys):
    register(lab())
    capsys.readouterr()
    register(lab())
    assert "are known" in capsys.readouterr().out
    assert AuditEvent.objects.count() == Host.objects.count() == 3


def test_a_host_that_was_made_anew_is_followed_and_looked_at_again(lab):
    register(lab())
    host = Host.objects.get(name="lb01")
    host.facts_at, host.trouble = host.accepted_at, {"kind": "key_changed"}
    host.save()
    register(lab(host_key=OTHER_KEY, ssh_port=2300))
    host.refresh_from_db()
    assert (host.host_key, host.ssh_port) == (OTHER_KEY, 2300)
    assert (host.facts_at, host.trouble) == (None, None)
    assert AuditEvent.objects.filter(host="lb01").count() == 2
    assert audit.verify() == (4, None)


def test_hosts_of_others_are_left_alone(lab):
    theirs = make_host("lb01", cluster=make_cluster("lab"))
    with pytest.raises(CommandError, match="not the lab's"):
        register(lab(host_key=OTHER_KEY))
    theirs.refresh_from_db()
    assert theirs.host_key == KEY
    assert Host.objects.count() == 1


def test_without_a_lab_it_says_how_to_start_one(tmp_path):
    with pytest.raises(CommandError, match="make lab"):
        register(tmp_path / "hosts.json")


def test_a_file_that_is_something_else_is_refused(tmp_path):
    (tmp_path / "hosts.json").write_text("[]")
    with pytest.raises(CommandError, match="not what the lab writes"):
        register(tmp_path / "hosts.json")
