"""A changed boot file: only what differs is sent, and a real shell puts it in."""

import shutil
import subprocess
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs import boot_file, boot_place
from cluster.lvs.boot_place import BOOT_FILE
from cluster.lvs.change import Mark
from cluster.lvs.patch import AWK, is_patch, patch, patched
from cluster.lvs.plan import boot_text, plan
from cluster.lvs.privileges import allowed
from cluster.lvs.wish import host_wishes
from tests.build import server, service, wish
from tests.lvs.test_boot_file import hosts, modes

PROGRAMS = [p for p in ("mawk", "gawk", "original-awk") if shutil.which(p)]
LINES = st.lists(
    st.sampled_from(["", "fi", "    fi", "=3", "-a -t", "+1", "echo 7 'x'"])
)


def awk(program, old, sent):
    """Return what a host makes of the old file and what it is sent."""
    words = [program, "-v", f"old={old}", AWK]
    done = subprocess.run(words, input=sent, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def text_of(*services):
    states = hosts()
    wishes = host_wishes(wish(*services), states)
    return boot_text("lb01", states["lb01"], wishes["lb01"])


def put(path, command, data=None):
    """Let a shell do it to this file instead; return the exit status."""
    argv = [str(path) if word == BOOT_FILE else word for word in command.argv]
    sent = command.stdin if data is None else data
    done = subprocess.run(argv, input=sent, capture_output=True, check=False)
    assert done.stderr == b""
    assert not done.returncode or path.with_suffix(".sh.new").exists()
    return done.returncode


def changed(old, new):
    """Return the change from one text to the other, as a plan has it in the end."""
    write = boot_place.write_boot(new)
    place = boot_place.BootPlace(True, boot_place.digest(old))
    (whole,) = boot_file.changes("lb01", place, new, ours=True)
    assert whole.command == write
    (change,) = boot_file.with_old_text(whole, old)
    assert change.command.argv == write.argv, "so that recovery knows it again"
    return change


@pytest.mark.parametrize("program", PROGRAMS)
@given(before=LINES, after=LINES)
def test_the_host_makes_the_new_text_of_the_old_one(
    tmp_path_factory, program, before, after
):
    old, new = ("".join(f"{line}\n" for line in some) for some in (before, after))
    sent = patch(old, new)
    if sent is None:
        return  # lines have changed their order: the whole file is sent
    path = tmp_path_factory.getbasetemp() / "old"
    path.write_text(old)
    assert patched(old, sent) == awk(program, path, sent) == new


@pytest.mark.parametrize(("one", "other"), [*permutations(modes(), 2)])
def test_whatever_changes_is_sent_as_a_patch_that_is_ours(tmp_path, one, other):
    old, new = (text_of(*modes()[mode]) for mode in (one, other))
    path = tmp_path / "boot.sh"
    path.write_text(old)
    change = changed(old, new)
    assert is_patch(change.command.stdin.decode())
    for command, text in ((change.command, new), (change.undo, old)):
        assert allowed("director", command)
        assert put(path, command) == 0
        assert path.read_text() == text
        assert put(path, command) == 0, "once more, and it is there already"
        assert [p.name for p in tmp_path.iterdir()] == ["boot.sh"]


@pytest.mark.parametrize("services", [10, 1000])
def test_one_changed_weight_is_three_lines_however_large_the_table(services):
    def table(weight):
        some = [service(port=n + 1) for n in range(services)]
        return [*some[:-1], replace(some[-1], servers=(server(weight=weight),))]

    change = changed(text_of(*table(1)), text_of(*table(2)))
    kept, out, into, _kept = change.command.stdin.decode().splitlines()
    assert kept.startswith("=")
    assert (out[:3], out[-4:], into[:3], into[-4:]) == ("--a", "-w 1", "+-a", "-w 2")
    assert len(change.undo.stdin) == len(change.command.stdin) < 150


@pytest.fixture
def there(tmp_path):
    """The boot file of a host, and the change that it shall get."""
    old, new = text_of(service()), text_of(service(), service(port=443))
    path = tmp_path / "boot.sh"
    path.write_text(old)
    return path, old, changed(old, new)


def test_what_was_cut_off_on_its_way_leaves_the_old_file(there):
    path, old, change = there
    for length in range(0, len(change.command.stdin) - 1, 40):
        assert put(path, change.command, change.command.stdin[:length]) != 0
        assert path.read_text() == old


@pytest.mark.parametrize("by_hand", ["# mine\n", ""])
def test_what_somebody_has_written_meanwhile_stays(there, by_hand):
    path, old, change = there
    mine = f"{old}{by_hand}"[1:]
    path.write_text(mine)
    assert put(path, change.command) != 0
    assert path.read_text() == mine


def test_a_file_that_was_edited_before_the_plan_is_replaced_whole():
    new = text_of(service())
    place = boot_place.BootPlace(True, boot_place.digest("echo by hand\n"))
    (whole,) = boot_file.changes("lb01", place, new, ours=True)
    (change,) = boot_file.with_old_text(whole, "echo by hand\n")
    assert change.command == boot_place.write_boot(new)
    assert change.undo == boot_place.remove(BOOT_FILE)
    assert "edited by hand" in str(change.undo_note)


def test_the_last_service_takes_the_file_away_and_its_undo_is_the_whole_text():
    old = text_of(service())
    states = hosts()
    place = boot_place.BootPlace(True, boot_place.digest(old))
    states["lb01"] = replace(states["lb01"], boot=place)
    mine = plan(states, host_wishes(wish(service()), states), {}).adds
    gone = next(
        c for c in plan(states, {}, mine).changes if boot_file.replaces(c, place)
    )
    (change,) = boot_file.with_old_text(gone, old)
    assert change.mark is Mark.DELETE
    assert change.command == boot_place.remove(BOOT_FILE)
    assert change.undo == boot_place.write_boot(old)


@pytest.mark.parametrize(
    "line",
    [
        "id",
        "run id",
        "run sudo -n sh",
        "-a $(id)",
        "-a `id`",
        "-a -t x; id",
        "END; id",
        "-",
    ],
)
def test_a_patch_with_another_line_is_none_of_our_commands(there, line):
    _path, _old, change = there
    command = change.command
    assert allowed("director", command)
    assert not allowed(
        "director", replace(command, stdin=command.stdin + f"+{line}\n".encode())
    )
    elsewhere = tuple(
        "/home/piranha/.bashrc" if w == BOOT_FILE else w for w in command.argv
    )
    assert not allowed("director", replace(command, argv=elsewhere))
    assert not allowed("director", replace(command, argv=(*command.argv[:-1], "id")))
