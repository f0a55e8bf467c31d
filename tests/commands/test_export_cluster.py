"""A cluster becomes a file, the same to the byte as long as nothing was changed."""

import json
import stat

import pytest

from cluster.models import RealServer
from tests.wish_files import NOTES


@pytest.fixture
def lab(cluster_of_notes):
    cluster_of_notes.want()
    return cluster_of_notes


def test_the_notes_are_written_to_stdout(lab, run_command):
    done = run_command("export_cluster", "lab")
    assert (done.exit, done.out, done.err) == (0, NOTES, "")


def test_what_is_off_or_of_others_is_written_too(lab, run_command):
    service = lab.want(vip="10.0.1.30", port=443, scheduler="wlc")
    service.enabled, service.name, service.persistence = False, "shop", 300
    service.save()
    service.servers.filter(address="10.0.1.6").update(enabled=False, weight=0)
    RealServer.objects.create(service=service, address="10.0.1.50", port=8443)
    exported = run_command("export_cluster", "lab", "--json").data["document"]
    assert exported["services"][0] == {
        "protocol": "tcp",
        "vip": "10.0.1.30",
        "port": 443,
        "scheduler": "wlc",
        "persistence_timeout": 300,
        "name": "shop",
        "enabled": False,
        "real_servers": [
            {"host": "web1", "weight": 0, "method": "dr", "enabled": False},
            {"host": "web2", "weight": 1, "method": "dr"},
            {"address": "10.0.1.50", "port": 8443, "weight": 1, "method": "dr"},
        ],
    }


def test_a_file_is_replaced_whole_and_keeps_its_mode(lab, run_command, tmp_path):
    path = tmp_path / "lab.yaml"
    path.write_text("old")
    path.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    done = run_command("export_cluster", "lab", "--file", link)
    assert (done.exit, done.out) == (0, "")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (NOTES, 0o640)
    assert link.is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lab.yaml", "link.yaml"]


def test_a_place_that_cannot_be_written_is_an_error(lab, run_command, tmp_path):
    done = run_command("export_cluster", "lab", "--file", tmp_path / "no" / "lab.yaml")
    assert done.exit == 1
    assert "no/lab.yaml cannot be written: No such file or directory." in done.err


def test_an_unknown_cluster_is_an_error_in_text_and_json(lab, run_command):
    sentence = "There is no cluster “shop”. There are: lab."
    done = run_command("export_cluster", "shop")
    assert (done.exit, done.out, done.err.strip()) == (1, "", sentence)
    assert run_command("export_cluster", "shop", "--json").data == {
        "format": 1,
        "command": "export_cluster",
        "cluster": "shop",
        "exit": 1,
        "outcome": "error",
        "messages": [sentence],
    }


def test_the_json_document_can_be_loaded(lab, run_command, tmp_path):
    document = run_command("export_cluster", "lab", "--json").data["document"]
    path = tmp_path / "lab.json"
    path.write_text(json.dumps(document))
    done = run_command("load_cluster", "lab", path, "--json")
    assert (done.exit, done.data["changes"]) == (0, [])
