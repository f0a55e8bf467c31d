"""Commands in one round trip, carried out by the shells that hosts have."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.lvs.batch import Garbled
from cluster.lvs.command import Command
from cluster.lvs.sequence import (
    LARGE,
    LONGEST,
    OUTPUT_CAP,
    Answer,
    Reader,
    count_together,
    deadline_of,
    sequence,
)
from tests.lvs.test_batch import WORDS

SHELLS = ("sh", "dash", "bash")


def carried_out(commands, shell="sh", data=None):
    """Let a real shell do it; return the answers, and whether that is all."""
    whole = sequence(commands)
    argv = [shell if word == "sh" else word for word in whole.argv]
    done = subprocess.run(
        argv,
        input=whole.stdin if data is None else data,
        capture_output=True,
        check=False,
    )
    reader = Reader(commands)
    return reader.feed(done.stdout), reader.is_over


def says(word, status=0, to="1"):
    script = f'printf %s "$1" >&{to}; exit $2'
    return Command(("sh", "-c", script, "sh", word, str(status)))


@settings(max_examples=20)
@given(words=st.lists(WORDS, min_size=2, max_size=4), shell=st.sampled_from(SHELLS))
def test_each_command_gets_its_own_answer(words, shell):
    answers, whole = carried_out([says(word) for word in words], shell)
    assert answers == [Answer(0, word.encode(), b"") for word in words]
    assert whole


@settings(max_examples=20)
@given(
    texts=st.lists(
        st.text(st.characters(codec="ascii", exclude_characters="\0\x1e")).map(
            lambda text: f"{text}\nEND\n$(id) `id` \\$x\n"
        ),
        min_size=2,
        max_size=3,
    ),
    shell=st.sampled_from(SHELLS),
)
def test_input_arrives_as_it_is(texts, shell):
    commands = [Command(("cat",), text.encode()) for text in texts]
    answers, _whole = carried_out(commands, shell)
    assert [answer.stdout for answer in answers] == [c.stdin for c in commands]


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_follows_the_first_that_fails(shell, tmp_path):
    touched = tmp_path / "touched"
    commands = [says("one"), says("two", 3, "2"), Command(("touch", str(touched)))]
    answers, whole = carried_out(commands, shell)
    assert answers == [Answer(0, b"one", b""), Answer(3, b"", b"two")]
    assert whole
    assert not touched.exists()


@pytest.fixture
def ipvsadm(tmp_path, monkeypatch):
    """One that complains of what it reads, and ends with 0 as ipvsadm 1.31 does."""
    program = tmp_path / "ipvsadm"
    program.write_text("#!/bin/sh\ncat >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("complaint", [b"", b"\n", b" \n", b"exists already\n"])
def test_ipvsadm_has_failed_when_it_complains(ipvsadm, shell, complaint):
    commands = [Command(("ipvsadm", "-R"), complaint), says("next")]
    answers, whole = carried_out(commands, shell)
    assert whole
    assert len(answers) == (1 if complaint.strip(b"\n") else 2)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_that_is_cut_on_its_way_does_nothing(shell, tmp_path):
    commands = [
        Command(("touch", str(tmp_path / "first"))),
        Command(("tee", str(tmp_path / "second")), b"one\ntwo\n"),
    ]
    text = sequence(commands).stdin
    for end in [*range(0, len(text) - 2, 7), len(text) - 3]:
        answers, _whole = carried_out(commands, shell, text[:end])
        assert not answers
        assert not list(tmp_path.iterdir()), text[:end]


@pytest.mark.parametrize("shell", SHELLS)
def test_it_stops_when_nobody_listens(shell, tmp_path):
    touched = tmp_path / "touched"
    whole = sequence([Command(("sleep", "0.3")), Command(("touch", str(touched)))])
    argv = [shell if word == "sh" else word for word in whole.argv]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.close()
    process.stdin.write(whole.stdin)
    process.stdin.close()
    assert process.wait(5) != 0
    assert not touched.exists()


def test_the_host_ends_it_when_its_time_is_over(tmp_path):
    touched = tmp_path / "touched"
    commands = [says("one"), Command(("sleep", "3")), Command(("touch", str(touched)))]
    whole = sequence(commands)
    argv = ["timeout", "0.5", *whole.argv[2:]]
    done = subprocess.run(argv, input=whole.stdin, capture_output=True, check=False)
    reader = Reader(commands)
    assert reader.feed(done.stdout) == [Answer(0, b"one", b"")]
    assert not reader.is_over
    assert done.returncode == 124
    assert not touched.exists()


def test_long_output_is_cut_for_each_command():
    reader = Reader([says("a"), says("b")])
    answers = []
    for _chunk in range(5):
        answers += reader.feed(b"x" * (OUTPUT_CAP // 4))
    answers += reader.feed(b"\x1e\x1e0\x1eshort\x1e\x1e0\x1e")
    first, second = answers
    assert (len(first.stdout), first.truncated) == (OUTPUT_CAP, True)
    assert second == Answer(0, b"short", b"")


@given(st.lists(st.binary(max_size=12), max_size=12))
def test_whatever_comes_back_is_answers_or_garbled(chunks):
    reader = Reader([says("a"), says("b")])
    answers = []
    try:
        for chunk in chunks:
            answers += reader.feed(chunk)
    except Garbled:
        return
    assert len(answers) <= 2
    assert reader.is_over == (
        len(answers) == 2 or any(answer.exit_status for answer in answers)
    )


@pytest.mark.parametrize(
    "said",
    [
        b"\x1e\x1e\x1e",
        b"\x1e\x1e-1\x1e",
        b"\x1e\x1e1000\x1e",
        b"\x1e\x1e0 \x1e",
        b"\x1e\x1e1\x1emore",
        b"\x1e\x1e1\x1e\x1e\x1e0\x1e",
        b"\x1e\x1e0\x1e" * 3,
    ],
)
def test_what_is_no_answer_is_garbled(said):
    with pytest.raises(Garbled):
        Reader([says("a"), says("b")]).feed(said)


QUICK = Command(("ip", "link"), root=True)
ARPING = Command(("arping", "-D"), root=True)
TABLE = Command(("ipvsadm", "-R"), b"x" * LARGE + b"\n", root=True, deadline=15.0)


@pytest.mark.parametrize(
    ("commands", "seconds", "count"),
    [
        ([QUICK], LONGEST, 1),
        ([QUICK] * 3, LONGEST, 3),
        ([QUICK] * 30, LONGEST, 6),
        ([QUICK] * 30, 13.0, 2),
        ([QUICK] * 30, 0.0, 1),
        ([ARPING] * 3, LONGEST, 2),
        ([TABLE, QUICK], LONGEST, 1),
        ([QUICK, TABLE], LONGEST, 1),
        ([QUICK, Command(("cat",), b"no end")], LONGEST, 1),
        ([Command(("cat",), b"a\0b\n"), QUICK], LONGEST, 1),
        ([QUICK, Command(("cat",), "ü\n".encode())], LONGEST, 1),
        ([QUICK, Command(("echo", "ü"))], LONGEST, 1),
    ],
)
def test_what_goes_together_is_over_in_time(commands, seconds, count):
    assert count_together(commands, seconds) == count
    if count > 1:
        assert deadline_of(commands[:count]) <= LONGEST + 2


def test_one_command_keeps_its_own_deadline():
    assert deadline_of([TABLE]) == 15.0
