"""The frame of the measures; the measures themselves run by ``make bench``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import processes, rounds
from bench.result import Result, at_least, at_most, missed, number

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("values", "target", "word"),
    [
        ([3, 5, 4], at_least(4), "ok"),
        ([3, 5, 3.9], at_least(4), "short"),
        ([1.0], at_most(1), "ok"),
        ([1, 9, 9], at_most(8), "short"),
    ],
)
def test_the_last_word_says_whether_the_median_meets_the_target(values, target, word):
    result = Result("parse.whole", values, target, "lines/s")
    assert result.line.split()[-1] == word
    assert result.as_json()["ok"] is (word == "ok")


def test_a_measure_that_cannot_run_is_short_and_says_why():
    entry = missed("apply", "the lab\ndoes not boot")
    assert entry["line"].split()[0] == "apply"
    assert entry["line"].endswith("the lab does not boot  short")
    assert entry["ok"] is False


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.012345, "0.0123"), (4.506, "4.51"), (40, "40"), (622_123, "622,000")],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_contenders_take_turns():
    said = []
    found = rounds.side_by_side(
        {"a": lambda: said.append("a") or 6.0, "b": lambda: said.append("b") or 2.0}, 3
    )
    assert "".join(said) == "abbaab"
    assert rounds.ratios(found["a"], found["b"]) == [3, 3, 3]


def test_the_cpu_of_an_ended_child_is_counted():
    work = [sys.executable, "-c", "sum(range(3_000_000))"]
    used = rounds.cpu(lambda: subprocess.run(work, check=True))
    assert used > 0.02


def test_a_tree_of_processes_is_found_and_measured():
    script = "sleep 60 & echo; wait"
    shell = subprocess.Popen(
        ["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        shell.stdout.readline()
        pids = processes.tree(shell.pid)
        assert len(pids) == 2
        assert 0 <= processes.cpu_of(pids) < 5
        assert processes.memory_of(pids) > 10_000
    finally:
        os.killpg(shell.pid, 15)
        shell.wait()
        shell.stdout.close()


def test_an_unknown_measure_is_refused():
    done = bench("no_such_measure")
    assert done.returncode == 2
    assert "no_such_measure" in done.stdout


@pytest.mark.slow
def test_results_are_printed_and_kept():
    done = bench("parse")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("parse.whole")
    assert lines[0].split()[-1] in ("ok", "short")
    assert done.returncode == any(line.endswith("short") for line in lines)
    path = ROOT / lines[-1].rpartition(" ")[2]
    report = json.loads(path.read_text())
    path.unlink()
    assert report["results"][0]["line"] == lines[0]
    assert report["machine"]["processors"]


def bench(*words):
    return subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
