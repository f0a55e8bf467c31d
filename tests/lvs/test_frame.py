"""The remote loop runs in real shells here, against a directory that looks like /proc."""

import re
import shlex
import time
from pathlib import Path

import pytest

from cluster.lvs.frame import LONGEST_PAUSE, SectionError, split_frame
from tests.lvs.running_loop import BOOT, loop
from tests.lvs.samples import sample

# It waits for the clock: not in make check.
pytestmark = pytest.mark.slow

# Seconds, where frames come every half second.
LONGEST = LONGEST_PAUSE * 0.5


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


def test_frames_leave_on_the_eighths_of_a_period_however_late_one_was(proc, run):
    slow = proc / "slow"
    slow.write_text(f"test -e {proc}/slept || sleep 1.7; touch {proc}/slept\n")
    running = run(loop(proc, period=1.6, stats=("sh", str(slow))))
    _late, *frames = (frame.sent_at for frame in running.frames(4))
    assert [at % 0.2 < 0.1 for at in frames] == [True] * 3


def busy(proc, listing):
    """Return a program that lists by *listing*; totals have moved when it ends."""
    head = "".join(sample("proc-net-ip_vs_stats").splitlines(keepends=True)[:2])
    total = proc / "net" / "ip_vs_stats"
    program = proc / "busy"
    program.write_text(f"{listing}\necho {shlex.quote(head)}$$ $$ 0 0 0 >{total}\n")
    return "sh", str(program)


def listed(frames):
    found = [split_frame(frame.body) for frame in frames]
    assert {one.at_rest for one in found} == {None}
    return [one for one in found if one.stats is not None]


def test_a_listing_that_takes_long_is_asked_for_less_often(proc, run):
    running = run(loop(proc, period=0.1, stats=busy(proc, "sleep 0.3")))
    begin = time.monotonic()
    asked = listed(running.frames(20))
    # 0.3 s each: at most a tenth of the time.
    assert len(asked) <= 1 + (time.monotonic() - begin) / 3
    assert all(one.stats_pause >= 3 for one in asked)


# More than half a hundredth of all the time that was saved, and of the longest pause.
WORKS = "n=0; while [ $((n += 1)) -lt 600000 ]; do :; done"


def test_a_listing_that_costs_the_director_much_comes_after_the_longest_pause(
    proc, run
):
    running = run(loop(proc, period=0.5, stats=busy(proc, WORKS)))
    (asked,) = listed(running.frames(8))
    assert asked.stats_pause >= LONGEST


def test_a_director_that_was_slow_once_is_asked_as_before_after_the_longest_pause(
    proc, run
):
    once = f"test -e {proc}/was-slow || while [ $((n += 1)) -lt 600000 ]; do :; done"
    listing = f"{once}; touch {proc}/was-slow"
    running = run(loop(proc, period=0.5, stats=busy(proc, listing)))
    asked = []
    while len(asked) < 2:
        asked += listed(running.frames(1))
    slow, quick = asked
    assert slow.stats_pause >= LONGEST
    assert quick.stats_pause < LONGEST


def test_a_listing_that_costs_next_to_nothing_comes_with_most_frames(proc, run):
    running = run(loop(proc, period=0.5, stats=busy(proc, ":")))
    # With every one where nothing else holds up the start of a process for 0.05 s.
    assert len(listed(running.frames(8))) > 4


def test_the_loop_ends_when_we_go_away(proc, run):
    running = run(loop(proc))
    running.frames(1)
    assert running.end() == 0


@pytest.mark.parametrize("moves", [(), ("true",)], ids=["none", "ended"])
def test_addresses_come_with_every_fifth_frame_when_nothing_tells_of_changes(
    proc, run, moves
):
    frames = run(loop(proc, period=0.05, moves=moves)).frames(16)
    with_addresses = [f.sequence for f in frames if split_frame(f.body).addresses]
    before, last = with_addresses[-2:]
    assert last - before == 5


def test_addresses_are_looked_at_again_when_one_has_changed(proc, run):
    told = proc / "told"
    told.touch()
    moves = ("tail", "-n", "0", "-f", str(told))
    running = run(loop(proc, period=0.1, moves=moves))
    frames = running.frames(20)
    with told.open("a") as told_file:
        told_file.write("3: eth0    inet 10.0.1.31/24 scope global eth0:31\n" * 3)
    frames += running.frames(12)
    first, second, *more = (
        f.sequence for f in frames if split_frame(f.body).addresses is not None
    )
    assert (first, second) == (0, 5)
    assert len(more) == 1
    assert 20 <= more[0] <= 31


@pytest.mark.parametrize("way", ["input ends", "nobody reads"])
def test_nothing_that_the_loop_has_started_outlives_it(proc, run, way):
    number = proc / "pid"
    listens = proc / "listens"
    listens.write_text(f"echo $$ >{number}; exec sleep 60\n")
    running = run(loop(proc, moves=("sh", str(listens))))
    running.frames(2)
    if way == "input ends":
        running.end()
    else:
        running.process.stdout.close()
        running.process.wait(10)
    _until(lambda: not alive(int(number.read_text())))


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except FileNotFoundError:
        return False


def _until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def replace(path, text):
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def test_a_director_at_rest_is_not_asked_for_counters_that_still_hold(proc, run):
    running = run(loop(proc, period=0.05))
    found = [split_frame(frame.body) for frame in running.frames(40)]
    asked = [n for n, one in enumerate(found) if one.stats is not None]
    assert asked[:2] == [0, 30]
    assert found[0].stats_number == 0
    assert {one.at_rest for one in found[1:30]} == {0}
    assert {one.at_rest for one in found[31:]} == {30}
    whole = [n for n, one in enumerate(found) if one.table and one.total]
    assert whole == [0, 5, 10, 15, 20, 25, 30, 35]


@pytest.mark.parametrize("name", ["ip_vs", "ip_vs_stats"])
def test_a_director_is_asked_again_as_soon_as_anything_moves(proc, run, name):
    running = run(loop(proc, period=0.1))
    assert split_frame(running.frames(3)[-1].body).at_rest == 0
    text = sample(f"proc-net-{name}")
    moved = {
        "ip_vs": text.replace("Route   3 ", "Route   4 "),
        # The first of the numbers, in hexadecimal: connections so far.
        "ip_vs_stats": re.sub(r"(?m)^( +)[0-9A-F]+(?= )", r"\1FFF", text, count=1),
    }[name]
    assert moved != text
    replace(proc / "net" / name, moved)
    later = [split_frame(frame.body) for frame in running.frames(4)]
    asked = [one.stats_number for one in later if one.stats is not None]
    assert len(asked) == 1
    assert later[-1].at_rest == asked[0]


def test_a_table_that_changed_and_changed_back_between_two_listings_is_asked_for(
    proc, run
):
    slow = proc / "slow"
    slow.write_text(f"sleep 0.05; cat {proc / 'stats'}\n")
    running = run(loop(proc, period=0.2, stats=("sh", str(slow))))
    running.frames(2)
    text = sample("proc-net-ip_vs")
    replace(proc / "net" / "ip_vs", text.replace("Route   3 ", "Route   4 "))
    running.frames(1)
    replace(proc / "net" / "ip_vs", text)
    later = [split_frame(frame.body) for frame in running.frames(12)]
    assert any(one.stats is not None for one in later)


def test_who_refuses_counters_is_asked_again_however_little_moves(proc, run):
    complains = proc / "complains"
    complains.write_text("exit 1\n")
    frames = run(loop(proc, period=0.05, stats=("sh", str(complains)))).frames(25)
    found = [split_frame(frame.body) for frame in frames]
    assert sum(one.status == 1 for one in found) > 1
    assert {one.at_rest for one in found} == {None}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"noise",
        b"noise\x1dboot\nx",
        b"\x1dboot",
        b"\x1dtable\nx",
        b"\x1dboot\nx\x1dstatus\nzero 1 2 3",
        b"\x1dboot\nx\x1dstatus\n0 1 2",
        b"\x1dboot\nx\x1drest\nlong",
        b"\x1dboot\nx\x1drest\n",
    ],
)
def test_what_is_not_a_frame_is_refused(body):
    with pytest.raises(SectionError):
        split_frame(body)


@pytest.mark.parametrize("shell", ["bash", "/nonexistent/bash"], ids=["bash", "posix"])
def test_what_seldom_changes_comes_whole_or_says_that_it_was_refused(proc, run, shell):
    seldom = {"timeouts": ("echo", "Timeout 1"), "daemons": ("false",)}
    frames = run(loop(proc, shell, period=0.05, seldom=seldom)).frames(61)
    found = [split_frame(frame.body) for frame in frames]
    said = {"timeouts": b"Timeout 1\n", "daemons": b"?\n"}
    assert [dict(one.seldom) for one in found] == [said, *[{}] * 59, said]
    assert found[0].table == sample("proc-net-ip_vs").encode()
    assert found[0].stats
