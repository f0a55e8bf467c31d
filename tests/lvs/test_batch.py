import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.batch import LONGEST, Garbled, batch, split
from cluster.lvs.command import Command

WORDS = st.text(
    st.characters(exclude_characters="\0\n\x1e", exclude_categories=["Cs"]), min_size=1
)


@given(st.lists(st.tuples(WORDS, st.integers(0, 255)), min_size=1, max_size=4))
def test_a_real_shell_gives_each_command_its_own_answer(wanted):
    commands = [
        Command(("sh", "-c", 'printf %s "$1"; printf %s "$1" >&2; exit $2', "sh", w, str(n)))
        for w, n in wanted
    ]  # fmt: skip
    whole = batch(commands)
    done = subprocess.run(
        whole.argv, input=whole.stdin, capture_output=True, check=True
    )
    answers = split(len(commands), done.stdout, done.stderr)
    assert answers == [(n, w.encode(), w.encode()) for w, n in wanted]


def test_a_command_that_reads_does_not_read_the_script():
    whole = batch([Command(("cat",)), Command(("echo", "second"))])
    done = subprocess.run(
        whole.argv, input=whole.stdin, capture_output=True, check=True
    )
    assert [out for _, out, _ in split(2, done.stdout, done.stderr)] == [
        b"",
        b"second\n",
    ]


def test_what_needs_input_has_no_place_in_a_batch():
    with pytest.raises(ValueError, match="no standard input"):
        batch([Command(("ipvsadm", "-R"), b"-A -t 10.0.1.31:80 -s rr\n")])


def test_the_deadline_is_that_of_all_together_within_reason():
    one = Command(("true",), deadline=10)
    assert batch([one] * 3).deadline == 30
    assert batch([one] * 30).deadline == LONGEST


@given(st.binary(max_size=80), st.binary(max_size=20), st.integers(1, 3))
def test_whatever_comes_back_is_answers_or_garbled(stdout, stderr, count):
    try:
        answers = split(count, stdout, stderr)
    except Garbled:
        return
    assert len(answers) == count


def test_an_answer_that_is_cut_is_garbled():
    whole = b"one\n\x1e0\x1etwo\n\x1e0\x1e"
    assert len(split(2, whole, b"\x1e\x1e")) == 2
    for end in range(len(whole)):
        with pytest.raises(Garbled):
            split(2, whole[:end], b"\x1e\x1e")
