"""A file becomes balanced connections on real kernels, by commands alone, and back."""

import io
import json

import pytest
from django.core.management import call_command

from tests.lab.site import Site
from tests.wish_files import NOTES

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.timeout(300)]
EMPTY = "cluster: lab\ndirector: lb01\nservices: []\n"


@pytest.fixture
def site(lab, db, monkeypatch):
    monkeypatch.setenv("PIRANHA_USER", "li.wei")
    lab.clean()
    return Site(lab)


def manage(*words):
    """Return exit code and document of a command."""
    out = io.StringIO()
    try:
        call_command(*map(str, words), "--json", stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        return int(end.code), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def test_the_notes_from_a_file_and_back_to_nothing(site, tmp_path):
    before = site.everything()
    path = tmp_path / "lab.yaml"
    path.write_text(NOTES)
    assert manage("load_cluster", "lab", path)[0] == 0
    exit_code, planned = manage("plan", "lab")
    assert (exit_code, site.everything()) == (2, before)
    exit_code, done = manage("apply", "lab", "--run", planned["run"]["number"], "--yes")
    assert exit_code == 0, done["run"]["account"]
    assert sorted(site.ask("http://10.0.1.31/", 10)) == ["web1"] * 5 + ["web2"] * 5
    assert manage("observe", "lab")[0] == 0
    site.lab.ssh("lb01", "ipvsadm -e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 7")
    exit_code, seen = manage("observe", "lab")
    assert exit_code == 2
    assert [host["name"] for host in seen["hosts"] if host["drift"]] == ["lb01"]
    assert manage("apply", "lab", "--yes")[0] == 0

    path.write_text(EMPTY)
    assert manage("load_cluster", "lab", path)[0] == 0
    assert manage("apply", "lab", "--yes")[0] == 5
    exit_code, done = manage("apply", "lab", "--confirm", "lab")
    assert exit_code == 0, done["run"]["account"]
    assert site.everything() == before
