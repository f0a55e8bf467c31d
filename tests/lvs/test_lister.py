"""What lists by ipvsadm, for one sudo: real shells, and programs in the place of sudo."""

import subprocess

import pytest

from cluster.lvs.command import Command
from cluster.lvs.frame import SELDOM, STATS, SUDO, WATCH, lister, split_frame
from cluster.lvs.privileges import allowed
from tests.lvs.running_loop import loop
from tests.lvs.samples import sample

# It waits for the clock: not in make check.
pytestmark = pytest.mark.slow


def test_it_runs_as_our_own_user_and_sudo_allows_what_lists():
    assert WATCH.root is False
    assert WATCH.argv == ("sh", "-s")
    assert lister().root
    assert allowed("director", lister())
    for words in (STATS, *SELDOM.values()):
        assert allowed("director", Command(words, root=True))
    by_own_sudo = lister(sudo=SUDO)
    assert not by_own_sudo.root
    assert "sudo -n ipvsadm -Ln --stats --exact;;" in by_own_sudo.argv[2]


def test_what_lists_takes_names_and_nothing_else(tmp_path):
    marker = tmp_path / "ran"
    words = lister(("echo", "counters"), {}).argv
    told = f"stats\n; touch {marker}\n$(touch {marker})\n`touch {marker}`\nstats\n"
    done = subprocess.run(words, input=told, capture_output=True, text=True, check=True)
    assert done.stdout == "counters\ncounters\n"
    ready, *said = done.stderr.splitlines()
    assert ready == "ready"
    assert [line.split()[0] for line in said] == ["0"] * 5
    assert not marker.exists()


def as_sudo(proc, text):
    program = proc / "sudo"
    program.write_text(f'#!/bin/sh\necho "$*" >>{proc}/asked-for\n{text}\n')
    program.chmod(0o755)
    return (str(program),)


REFUSES = """\
case "$*" in *"sh -c"*) echo "sudo: a password is required" >&2; exit 1;; esac
exec "$@"
"""
SAYS_YES_AND_REFUSES = f'[ "$1" = -l ] && exit 0\n{REFUSES}'
ALLOWS = '[ "$1" = -l ] && exit 0\nexec "$@"'


@pytest.mark.parametrize(
    ("text", "calls"),
    [(REFUSES, True), (SAYS_YES_AND_REFUSES, True), (ALLOWS, False)],
    ids=["refuses", "says yes and refuses", "allows"],
)
def test_where_sudo_refuses_what_lists_each_listing_has_a_sudo(proc, run, text, calls):
    seldom = {"timeouts": ("echo", "Timeout 1")}
    command = loop(proc, period=0.05, seldom=seldom, sudo=as_sudo(proc, text))
    first = split_frame(run(command).frames(2)[0].body)
    assert first.status == 0
    assert first.stats == sample("ipvsadm-Ln--stats--exact").encode()
    assert first.seldom == {"timeouts": b"Timeout 1\n"}
    asked_for = (proc / "asked-for").read_text().splitlines()
    assert ("echo Timeout 1" in asked_for) is calls


def test_the_loop_ends_and_says_why_when_what_lists_has_died(proc, run):
    kills = proc / "kills"
    kills.write_text("kill -9 $PPID\n")
    running = run(loop(proc, stats=("sh", str(kills))))
    assert running.process.wait(10) == 1
    assert b"what lists by ipvsadm has ended" in running.process.stderr.read()
