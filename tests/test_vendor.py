"""What is vendored is what the manifest says, and nothing else is."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "static" / "vendor" / "MANIFEST.json"
ENTRIES = json.loads(MANIFEST.read_text(encoding="utf-8"))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_the_file_has_the_recorded_hash(entry):
    digest = hashlib.sha384((ROOT / entry["file"]).read_bytes()).digest()
    assert entry["sha384"] == "sha384-" + base64.b64encode(digest).decode()


def test_no_file_is_missing_from_the_manifest():
    folders = (ROOT / "static" / "vendor", ROOT / "tests" / "browser" / "vendor")
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path != MANIFEST
    }
    assert found == {entry["file"] for entry in ENTRIES} - {"static/icons.svg"}


def test_every_entry_names_version_and_licence():
    assert all(entry["version"] and entry["licence"] for entry in ENTRIES)
