import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs.command import Command

HOSTILE = [
    "; rm -rf /",
    "$(id)",
    "`id`",
    "${IFS}",
    "a b",
    " ",
    "'",
    '"\'"',
    "it's",
    "\\",
    "\\'",
    "*",
    "[a-z]?",
    "~",
    "~root",
    "-n",
    "--",
    "&",
    "a&&b||c",
    "|cat",
    ">/etc/passwd",
    "<(:)",
    "#not-a-comment",
    "!!",
    "\t",
    "\r",
    "\x1e",
    "\x7f",
    "%s",
    "{a,b}",
    "A=b",
    "日本語",
    "é",
    "\u202e",
    "[2001:db8::1]:80",
]

words = st.text(
    st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]), min_size=1
)


def through_a_shell(*argv):
    command = Command(("printf", "%s\\0", *argv))
    done = subprocess.run(
        ["/bin/sh", "-c", command.line], capture_output=True, check=True
    )
    assert done.stderr == b""
    return tuple(done.stdout.decode().split("\0")[:-1])


@pytest.mark.parametrize("word", HOSTILE)
def test_a_hostile_word_is_only_a_word(word):
    assert through_a_shell(word, "end") == (word, "end")


@given(st.lists(words, min_size=1, max_size=5).map(tuple))
def test_any_words_pass_a_real_shell_unchanged(argv):
    assert through_a_shell(*argv) == argv


@pytest.mark.parametrize("word", ["", "a\0b", "a\nb", "\n", "\ud800"])
def test_it_refuses_words_that_no_tool_takes(word):
    with pytest.raises(ValueError, match=r"."):
        Command(("ip", word))


def test_it_refuses_what_is_not_text():
    with pytest.raises(TypeError):
        Command(("ip", 7))


def test_it_refuses_no_words_at_all():
    with pytest.raises(ValueError, match="at least one word"):
        Command(())


@pytest.mark.parametrize("deadline", [0, -1, float("nan")])
def test_it_refuses_a_deadline_in_the_past(deadline):
    with pytest.raises(ValueError, match="deadline"):
        Command(("true",), deadline=deadline)


def test_root_means_sudo_that_never_asks():
    assert Command(("ipvsadm", "-Sn"), root=True).line == "sudo -n ipvsadm -Sn"


def test_people_see_the_input_beneath_and_no_sudo():
    command = Command(("ipvsadm", "-R"), b"-A -t 10.0.1.31:80\n-Z\n", root=True)
    assert command.shown == "ipvsadm -R <<\n-A -t 10.0.1.31:80\n-Z"
    assert Command(("ipvsadm", "-Sn"), root=True).shown == "ipvsadm -Sn"
