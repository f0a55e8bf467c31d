"""Ansible to compare with, in a virtual environment of its own under bench/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.result import CannotRun

HERE = Path(__file__).resolve().parent
HOME = HERE / ".venv"
# As quick as it can be made: one connection that is kept, and no file is copied.
QUICK = {
    "ANSIBLE_PIPELINING": "1",
    "ANSIBLE_HOST_KEY_CHECKING": "0",
    "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=120"
    " -o UserKnownHostsFile=/dev/null",
}


def program(name: str = "ansible-playbook") -> Path:
    """Return the program, installed when it is not there yet."""
    found = HOME / "bin" / name
    if not found.exists():
        _must(sys.executable, "-m", "venv", str(HOME))
        wanted = str(HERE / "ansible.txt")
        _must(str(HOME / "bin" / "pip"), "install", "-q", "-r", wanted)
    return found


def _must(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun(f"Ansible cannot be installed: {done.stderr.strip()[-300:]}")
