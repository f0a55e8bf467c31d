"""What every Shell promises: the fake one and the one over a real sshd."""

import threading
import time
from dataclasses import replace

import pytest

from cluster.lvs.command import Command
from cluster.remote.paramiko_shell import STDERR_CAP, STDOUT_CAP, open_shell
from cluster.remote.shell import NothingSent, OutcomeUnknown
from tests.fake_shell import FakeShell, run_here
from tests.lvs.test_command import HOSTILE


@pytest.fixture(params=["fake", "sshd", "co-shell"])
def shell(request, monkeypatch):
    if request.param == "fake":
        opened = FakeShell("lb01", run_here)
    else:
        opened = open_shell(request.getfixturevalue("sshd").target())
    if request.param == "co-shell":
        run = opened.run
        monkeypatch.setattr(opened, "run", lambda c: run(replace(c, reads=True)))
    with opened as shell:
        yield shell


def sh(script, *argv, **options):
    return Command(("sh", "-c", script, "sh", *argv), **options)


def test_it_has_the_name_of_the_host(shell):
    assert shell.name == "lb01"


def test_it_returns_what_the_command_prints(shell):
    output = shell.run(Command(("echo", "hello")))
    assert (output.stdout, output.stderr, output.text) == (b"hello\n", b"", "hello\n")
    assert output.ok
    assert not output.truncated
    assert 0 < output.seconds < 10


@pytest.mark.parametrize("status", [0, 1, 2, 77, 126, 127, 255])
def test_it_returns_the_exit_status(shell, status):
    output = shell.run(sh(f"exit {status}"))
    assert output.exit_status == status
    assert output.ok is (status == 0)


def test_a_program_that_is_not_there_is_an_answer(shell):
    output = shell.run(Command(("no-such-program",)))
    assert output.exit_status == 127
    assert b"not found" in output.stderr


def test_it_keeps_the_two_streams_apart(shell):
    output = shell.run(sh("echo out; echo err >&2; echo out"))
    assert (output.stdout, output.stderr) == (b"out\nout\n", b"err\n")


def test_hostile_words_arrive_as_they_are(shell):
    output = shell.run(Command(("printf", "%s\\0", *HOSTILE)))
    assert output.text.split("\0")[:-1] == HOSTILE


def test_two_megabytes_of_input_come_back_unchanged(shell):
    data = bytes(range(256)) * 8192
    output = shell.run(Command(("cat",), stdin=data))
    assert output.stdout == data


def test_no_input_is_an_end_of_file_at_once(shell):
    assert shell.run(Command(("cat",))).stdout == b""


def test_a_command_may_leave_its_input_unread(shell):
    assert shell.run(Command(("true",), stdin=b"x" * 4_000_000)).exit_status == 0


def test_a_command_may_read_after_it_closed_its_output(shell):
    script = 'exec >&- 2>&-; test "$(wc -c)" -eq 3000000'
    assert shell.run(sh(script, stdin=b"x" * 3_000_000)).exit_status == 0


def test_long_output_is_cut_at_the_cap_and_the_status_still_comes(shell):
    output = shell.run(sh(f"head -c {STDOUT_CAP + 1} /dev/zero; exit 3"))
    assert len(output.stdout) == STDOUT_CAP
    assert output.truncated
    assert output.exit_status == 3


def test_output_of_exactly_the_cap_is_whole(shell):
    output = shell.run(sh(f"head -c {STDOUT_CAP} /dev/zero"))
    assert len(output.stdout) == STDOUT_CAP
    assert not output.truncated


def test_long_complaints_are_cut_too(shell):
    output = shell.run(sh(f"head -c {STDERR_CAP + 1} /dev/zero >&2; echo done"))
    assert len(output.stderr) == STDERR_CAP
    assert output.truncated
    assert output.stdout == b"done\n"


def test_the_deadline_is_honoured_and_the_next_command_works(shell):
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown) as caught:
        shell.run(Command(("sleep", "20"), deadline=0.5))
    assert 0.5 <= time.monotonic() - started < 1.0
    assert "lb01" in str(caught.value)
    assert "sleep 20" in str(caught.value)
    assert shell.run(Command(("echo", "again"))).text == "again\n"


def test_programs_speak_english(shell):
    assert shell.run(Command(("printenv", "LC_ALL"))).text == "C\n"


def test_there_is_no_terminal(shell):
    assert shell.run(Command(("test", "-t", "1"))).exit_status == 1


def test_many_commands_use_one_shell(shell):
    for number in range(40):
        assert shell.run(Command(("echo", str(number)))).text == f"{number}\n"


def test_nothing_is_sent_after_close(shell):
    shell.close()
    shell.close()
    with pytest.raises(NothingSent, match="lb01"):
        shell.run(Command(("true",)))


def test_input_never_shows_in_an_error(shell):
    with pytest.raises(OutcomeUnknown) as caught:
        shell.run(sh("sleep 20", stdin=b"canary-4711", deadline=0.3))
    assert "canary-4711" not in f"{caught.value!s}{caught.value!r}"


def test_another_thread_may_use_it_later(shell):
    texts = []
    thread = threading.Thread(
        target=lambda: texts.append(shell.run(Command(("echo", "there"))).text)
    )
    thread.start()
    thread.join()
    assert [*texts, shell.run(Command(("echo", "here"))).text] == ["there\n", "here\n"]


def test_many_questions_are_answered_one_by_one(shell):
    first, second, third = shell.run_all(
        [
            sh("echo one; echo odd >&2"),
            sh("cat; exit 3"),
            Command(("printf", "%s", "it's $HOME")),
        ]
    )
    assert (first.text, first.stderr, first.exit_status) == ("one\n", b"odd\n", 0)
    assert (second.text, second.stderr, second.exit_status) == ("", b"", 3)
    assert third.text == "it's $HOME"


# -- many commands in one round trip --------------------------------------------------


def test_commands_in_order_answer_one_by_one(shell):
    words = [word for word in HOSTILE if "\x1e" not in word]  # it ends an answer
    first, second, third = shell.run_in_order(
        [
            sh("echo one; echo odd >&2"),
            Command(("cat",), b"it's\n$HOME\nEND\n"),
            Command(("printf", "%s\\0", *words)),
        ]
    )
    assert (first.text, first.exit_status) == ("one\n", 0)
    assert first.stderr.strip() == b"odd"
    assert second.stdout == b"it's\n$HOME\nEND\n"
    assert third.text.split("\0")[:-1] == words
    assert all(0 < one.seconds < 10 for one in (first, second, third))


@pytest.mark.parametrize("status", [1, 77, 255])
def test_the_first_that_fails_is_the_last_that_is_tried(shell, tmp_path, status):
    touched = tmp_path / "touched"
    answers = list(
        shell.run_in_order(
            [
                sh("echo one"),
                sh(f"echo two >&2; exit {status}"),
                Command(("touch", str(touched))),
            ]
        )
    )
    assert [one.exit_status for one in answers] == [0, status]
    assert answers[1].stderr.strip() == b"two"
    assert not touched.exists()
    assert shell.run(Command(("echo", "again"))).text == "again\n"


def test_a_program_that_is_not_there_is_one_that_fails(shell):
    answers = list(shell.run_in_order([Command(("no-such-program",)), sh("exit 0")]))
    assert [one.exit_status for one in answers] == [127]
    assert b"not found" in answers[0].stderr


def test_one_command_in_order_is_one_as_any_other(shell):
    (answer,) = shell.run_in_order([Command(("cat",), b"x" * 3_000_000)])
    assert len(answer.stdout) == 3_000_000


def test_an_answer_comes_before_the_next_command_has_ended(shell):
    started = time.monotonic()
    answers = shell.run_in_order([sh("echo one"), Command(("sleep", "1.5"))])
    assert next(answers).text == "one\n"
    assert time.monotonic() - started < 1.2
    assert next(answers).ok
    assert next(answers, None) is None
    assert time.monotonic() - started >= 1.5


def test_input_of_a_script_may_be_left_unread_or_be_large(shell):
    lines = b"a rule of sixty characters, one of very many in a table.....\n" * 1000
    unread, counted = shell.run_in_order(
        [Command(("true",), lines), Command(("wc", "-c"), lines)]
    )
    assert unread.ok
    assert int(counted.text) == len(lines)


def test_nothing_is_sent_in_order_after_close(shell):
    shell.close()
    with pytest.raises(NothingSent, match="lb01"):
        list(shell.run_in_order([sh("exit 0"), sh("exit 0")]))
