"""The remote loop runs in real shells here, against a directory that looks like /proc."""

import os
import shlex
import subprocess
import time

import pytest

from cluster.lvs.command import Command
from cluster.lvs.frame import (
    SELDOM,
    STATS,
    WATCH,
    SectionError,
    split_frame,
    watch_command,
)
from cluster.lvs.privileges import allowed
from cluster.remote.frames import FrameReader
from tests.lvs.samples import sample

BOOT = "53fe3d50-5b9c-4c5f-8dfc-ec78eac47349"


@pytest.fixture
def proc(tmp_path):
    """A director's files, and programs that print what the real ones printed."""
    (tmp_path / "net").mkdir()
    random = tmp_path / "sys" / "kernel" / "random"
    random.mkdir(parents=True)
    (random / "boot_id").write_text(BOOT + "\n")
    (tmp_path / "net" / "ip_vs").write_text(sample("proc-net-ip_vs"))
    (tmp_path / "net" / "ip_vs_stats").write_text(sample("proc-net-ip_vs_stats"))
    (tmp_path / "stats").write_text(sample("ipvsadm-Ln--stats--exact"))
    (tmp_path / "addresses").write_text(sample("ip-j-addr-show"))
    return tmp_path


def loop(proc, shell="bash", period=0.2, stats=None, seldom=None):
    return watch_command(
        str(proc),
        stats or ("cat", str(proc / "stats")),
        ("cat", str(proc / "addresses")),
        period,
        seldom=seldom or {},
        bash=shell,
    )


class Running:
    """The command under a shell, with its standard input held open."""

    def __init__(self, command: Command):
        self.process = subprocess.Popen(
            ["sh", "-c", command.line], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.process.stdin.write(command.stdin)
        self.process.stdin.flush()
        self.reader = FrameReader()

    def frames(self, count):
        found = []
        while len(found) < count:
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "the loop has ended"
            found += self.reader.feed(data)
        return found

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(10)


@pytest.fixture
def run():
    started = []

    def start(command):
        started.append(Running(command))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()
        running.process.stdin.close()
        running.process.stdout.close()


@pytest.mark.parametrize("shell", ["bash", "/nonexistent/bash"], ids=["bash", "posix"])
def test_a_frame_holds_what_the_director_has(proc, run, shell):
    first, *_ = run(loop(proc, shell)).frames(2)
    sections = split_frame(first.body)
    assert first.sequence == 0
    assert sections.boot_id == BOOT
    assert sections.table == sample("proc-net-ip_vs").encode()
    assert sections.total == sample("proc-net-ip_vs_stats").encode()
    assert sections.stats == sample("ipvsadm-Ln--stats--exact").encode()
    assert sections.status == 0
    assert sections.addresses == sample("ip-j-addr-show").encode()


@pytest.mark.parametrize("shell", ["bash", "/nonexistent/bash"], ids=["bash", "posix"])
def test_a_director_without_ip_vs_says_so_and_is_not_asked_for_counters(
    proc, run, shell
):
    (proc / "net" / "ip_vs").unlink()
    marker = proc / "was-asked"
    sections = split_frame(
        run(loop(proc, shell, stats=("touch", str(marker)))).frames(1)[0].body
    )
    assert (sections.table, sections.total, sections.stats) == (None, None, None)
    assert sections.boot_id == BOOT
    assert not marker.exists()  # ipvsadm would load the module


def test_an_empty_table_is_not_worth_a_call_of_ipvsadm(proc, run):
    head = sample("proc-net-ip_vs").splitlines(keepends=True)[:3]
    (proc / "net" / "ip_vs").write_text("".join(head))
    sections = split_frame(run(loop(proc)).frames(1)[0].body)
    assert sections.table == "".join(head).encode()
    assert sections.stats is None


def test_a_complaint_of_ipvsadm_comes_with_its_status(proc, run):
    complains = proc / "complains"
    complains.write_text("echo sudo: a password is required >&2; exit 1\n")
    frame = run(loop(proc, stats=("sh", str(complains)))).frames(1)[0]
    sections = split_frame(frame.body)
    assert sections.status == 1
    assert sections.stats == b"sudo: a password is required\n"


def test_frames_keep_an_absolute_schedule(proc, run):
    running = run(loop(proc, period=0.2))
    frames = running.frames(11)
    took = frames[-1].sent_at - frames[1].sent_at
    assert took == pytest.approx(9 * 0.2, abs=0.1)


def test_a_costly_listing_is_asked_for_less_often(proc, run):
    slow = proc / "slow"
    slow.write_text(f"sleep 0.3; cat {proc / 'stats'}\n")
    running = run(loop(proc, period=0.1, stats=("sh", str(slow))))
    begin = time.monotonic()
    with_stats = sum(split_frame(f.body).stats is not None for f in running.frames(20))
    # 0.3 s each: at most a tenth of the time.
    assert with_stats <= 1 + (time.monotonic() - begin) / 3


def test_the_loop_ends_when_we_go_away(proc, run):
    running = run(loop(proc))
    running.frames(1)
    assert running.end() == 0


def test_addresses_come_with_every_fifth_frame(proc, run):
    frames = run(loop(proc, period=0.05)).frames(11)
    with_addresses = [f.sequence for f in frames if split_frame(f.body).addresses]
    assert with_addresses == [0, 5, 10]


def test_it_needs_no_root_shell_and_sudo_allows_its_one_command():
    assert WATCH.root is False
    assert WATCH.argv == ("sh", "-s")
    assert STATS[:2] == ("sudo", "-n")
    assert allowed("director", Command(STATS[2:], root=True))
    assert shlex.join(STATS) == "sudo -n ipvsadm -Ln --stats --exact"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"noise",
        b"noise\x1dboot\nx",
        b"\x1dboot",
        b"\x1dtable\nx",
        b"\x1dboot\nx\x1dstatus\nzero 1",
        b"\x1dboot\nx\x1dstatus\n0",
    ],
)
def test_what_is_not_a_frame_is_refused(body):
    with pytest.raises(SectionError):
        split_frame(body)


@pytest.mark.parametrize("shell", ["bash", "/nonexistent/bash"], ids=["bash", "posix"])
def test_what_seldom_changes_comes_whole_or_says_that_it_was_refused(proc, run, shell):
    seldom = {"timeouts": ("echo", "Timeout 1"), "daemons": ("false",)}
    frames = run(loop(proc, shell, period=0.05, seldom=seldom)).frames(16)
    found = [split_frame(frame.body) for frame in frames]
    said = {"timeouts": b"Timeout 1\n", "daemons": b"?\n"}
    assert [dict(one.seldom) for one in found] == [said, *[{}] * 14, said]
    assert found[0].table == found[1].table == sample("proc-net-ip_vs").encode()
    assert found[0].stats


def test_all_of_it_may_be_asked():
    for words in SELDOM.values():
        assert allowed("director", Command(words[2:], root=True))
