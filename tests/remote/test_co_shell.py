"""The shell that stays open: nothing is left in it, and when it breaks there is another."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.command import Command
from cluster.remote import co_shell
from cluster.remote.paramiko_shell import open_shell
from cluster.remote.shell import NothingSent, OutcomeUnknown


@pytest.fixture
def opened(shell, monkeypatch):
    """The channels that were opened on the connection of *shell*."""
    channels = []
    open_session = shell._connection.open_session

    def noting(**options):
        channels.append(open_session(**options))
        return channels[-1]

    monkeypatch.setattr(shell._connection, "open_session", noting)
    return channels


def read(*argv, **options):
    return Command(argv, reads=True, **options)


def test_many_questions_take_one_channel(shell, opened):
    for number in range(20):
        assert shell.run(read("echo", str(number))).text == f"{number}\n"
    assert len(opened) == 1


def test_what_changes_a_host_has_a_channel_of_its_own(shell, opened):
    for _ in range(3):
        shell.run(Command(("true",)))
        shell.run(read("cat", stdin=b"some"))
    assert len(opened) == 6


def test_no_command_leaves_anything_to_the_next(shell, opened):
    here = shell.run(read("pwd")).text
    for argv in (("cd", "/"), ("export", "LC_ALL=de"), ("exec", "true"), ("set", "-e")):
        assert shell.run(read(*argv)).ok
    assert shell.run(read("exit", "3")).exit_status == 3
    assert shell.run(read("false")).exit_status == 1
    assert shell.run(read("pwd")).text == here
    assert shell.run(read("printenv", "LC_ALL")).text == "C\n"
    assert len(opened) == 1


def test_a_broken_one_is_replaced_and_the_question_asked_again(shell, opened):
    pid = shell.run(read("sh", "-c", "echo $PPID")).text.strip()
    assert shell.run(Command(("kill", "-9", pid))).ok
    assert shell.run(read("echo", "still there")).text == "still there\n"
    before = len(opened)
    assert shell.run(read("echo", "again")).text == "again\n"
    assert shell.run(read("echo", "and again")).text == "and again\n"
    assert len(opened) <= before + 1


def test_one_that_dies_over_a_question_is_replaced(shell, tmp_path):
    script = 'test -e "$0" || { touch "$0"; kill -9 $PPID; }; echo asked'
    assert shell.run(read("sh", "-c", script, str(tmp_path / "once"))).text == "asked\n"
    assert (tmp_path / "once").exists()
    assert shell.run(read("echo", "again")).text == "again\n"


def test_what_comes_late_is_no_answer_to_the_next_question(shell):
    late = read("sh", "-c", "(sleep 0.3; echo late; echo late >&2) & echo soon")
    assert shell.run(late).text == "soon\n"
    time.sleep(0.6)
    answer = shell.run(read("echo", "next"))
    assert (answer.text, answer.stderr) == ("next\n", b"")


def test_a_late_answer_costs_its_question_and_no_other(shell, opened):
    shell.run(read("true"))
    with pytest.raises(OutcomeUnknown, match="sleep 9"):
        shell.run(read("sleep", "9", deadline=0.3))
    assert shell.run(read("echo", "next")).text == "next\n"
    assert len(opened) == 2


def test_output_that_looks_like_an_end_is_none(shell):
    text = "\\036%s 0\\n\\036 0\\n\\036"
    answer = shell.run(read("printf", text, "0" * 16))
    assert answer.stdout == b"\x1e" + b"0" * 16 + b" 0\n\x1e 0\n\x1e"


def test_a_lost_connection_is_told_as_such(sshd):
    with open_shell(sshd.target()) as shell:
        assert shell.run(read("true")).ok
        sshd.kill_sessions()
        time.sleep(0.2)
        with pytest.raises(NothingSent):
            shell.run(read("true"))


MARK = b"\x1e0123456789abcdef"


@given(
    st.lists(st.sampled_from([MARK, MARK[:9], b" 0\n", b"a", b"bc" * 30, b"\n"])),
    st.integers(0, 255),
    st.lists(st.integers(1, 70)),
    st.integers(0, 90),
)
def test_an_answer_is_the_same_in_any_pieces(parts, status, sizes, cap):
    data = b"".join(parts).replace(MARK + b" 0\n", b"")
    rest = data + MARK + b" %d\n" % status
    answer = co_shell._Answer(MARK, cap)
    for size in [*sizes, len(rest)]:
        assert answer.status is None or not rest
        answer.add(rest[:size])
        rest = rest[size:]
    assert (answer.status, answer.truncated) == (status, len(data) > cap)
    assert answer.take() == data[:cap]
    assert (answer.status, answer.truncated, answer.data) == (None, False, b"")
