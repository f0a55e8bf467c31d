"""Watch 200 directors: what it costs here and there, beside what else could be done.

20 services x 5 real servers a frame, table and counters of all rows, each of which has
moved since the frame before. The streams of all contenders run at the same time; one
round is a few seconds of all of them, and then a sweep of those that fetch.

- streams: ours, received and cut into frames. whole: the Watcher, to the live cache (its
  server is counted) with the bell rung, and to the database.
- ssh: a process for each director, the same loop at the other end, read by one epoll.
- masters: a shell's loop over warm ControlMaster connections that fetches as many bytes.
- ansible: a raw task that fetches them, pipelined over kept connections, start not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import ansible
from bench.contender import Contender
from bench.directors import Directors, address_of
from bench.result import CannotRun, Result, at_least, at_most
from bench.rounds import cpu, ratios, side_by_side
from cluster.lvs.frame import watch_command
from cluster.remote.frames import MARK

DIRECTORS = int(os.environ.get("PIRANHA_BENCH_DIRECTORS", "200"))
ROUNDS = 5
WINDOW = 8.0  # seconds
TASKS, PLAYED, PLAYS = 6, 20, 2
# Many turns: what logins cost is taken off, and varies more than some frames do.
LOOPS, TURNS, PERIOD = 8, 80, 0.1
# A director and the number of frames -> what is run there, and its standard input.
_Loop = Callable[[int, int], tuple[str, bytes]]


def measure() -> Iterator[Result]:
    ansible.program()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directors = stack.enter_context(Directors(folder, DIRECTORS))
        yield _director(directors)
        words = (str(folder), str(DIRECTORS), str(directors.port))
        contenders = {}
        for name, module, *more in (
            ("streams", "receiving", "streams"),
            ("ssh", "receiving", "ssh"),
            ("whole", "watching"),
            ("masters", "masters"),
        ):
            contender = Contender(f"bench.contenders.{module}", *more, *words)
            stack.callback(contender.close)
            contenders[name] = contender
        costs: dict[str, list[float]] = {name: [] for name in (*contenders, "ansible")}
        for turn in range(ROUNDS):
            for name, cost in _round(contenders).items():
                costs[name].append(cost)
            if turn < PLAYS:
                costs["ansible"].append(_ansible(directors))
        yield from _results(costs, contenders)


def _round(contenders: dict[str, Contender]) -> dict[str, float]:
    """Return the milliseconds of CPU a sample."""
    at_once = [name for name in contenders if name != "masters"]
    for name in at_once:
        contenders[name].begin(WINDOW)
    found = {name: contenders[name].end() for name in at_once}
    contenders["masters"].begin(0)
    found["masters"] = contenders["masters"].end()
    return {name: 1000 * one["cpu"] / one["frames"] for name, one in found.items()}


def _results(
    costs: dict[str, list[float]], contenders: dict[str, Contender]
) -> Iterator[Result]:
    details = {"ms of CPU a sample": costs}
    memory = {name: one.ready["memory"] for name, one in contenders.items()}

    def result(name: str, of: str, to: str, target: float) -> Result:
        values = ratios(costs[to][: len(costs[of])], costs[of][: len(costs[to])])
        note = f"{_median(costs[of]):.2f} against {_median(costs[to]):.2f} ms"
        return Result(name, values, at_least(target), "times less CPU", note, details)

    more = ratios(costs["streams"], costs["ssh"])
    yield Result("ssh", more, at_most(1.25), "times the CPU", "of processes ssh")
    share = memory["streams"] / memory["ssh"]
    note = f"{memory['streams'] / DIRECTORS / 1024:.0f} KiB a director"
    yield Result("memory", [share], at_most(0.1), "of processes ssh", note)
    yield result("masters", "streams", "masters", 25)
    yield result("ansible", "streams", "ansible", 100)
    yield result("whole_masters", "whole", "masters", 8)
    yield result("whole_ansible", "whole", "ansible", 30)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _director(directors: Directors) -> Result:
    """Compare the loops by all that sshd and they use, without logins.

    Both send table and totals; what ipvsadm costs is the same for everybody, and left
    out of both: the shell's ``:`` stands for it.
    """
    nothing = (":",)

    def ours(number: int, _turns: int) -> tuple[str, bytes]:
        place = str(directors.place(number))
        command = watch_command(place, nothing, nothing, PERIOD, seldom={}, sudo=())
        return command.line, command.stdin

    def cat(number: int, turns: int) -> tuple[str, bytes]:
        files = directors.files(number)
        once = f"cat {files}; printf '\\036\\n'; sleep {PERIOD}"
        numbers = " ".join(str(turn) for turn in range(turns))
        return f"for turn in {numbers}; do {once}; done", b""

    def cost(loop: _Loop) -> float:
        few, many = (_sessions(directors, loop, turns) for turns in (2, TURNS))
        return 1000 * (many - few) / (TURNS - 2) / LOOPS

    times = side_by_side({"ours": lambda: cost(ours), "cat": lambda: cost(cat)}, 3)
    note = f"{_median(times['ours']):.2f} against {_median(times['cat']):.2f} ms"
    share = ratios(times["ours"], times["cat"])
    return Result("director", share, at_most(0.25), "of cat; sleep", note, times)


def _sessions(directors: Directors, loop: _Loop, turns: int) -> float:
    """Return the seconds of CPU of sessions that send so many frames each."""
    before, pipe = directors.cpu(), subprocess.PIPE
    children = []
    for number in range(LOOPS):
        line, script = loop(number, turns)
        words = [*directors.ssh(number), line]
        child = subprocess.Popen(words, stdin=pipe, stdout=pipe, bufsize=0)
        children.append(child)
        assert child.stdin
        child.stdin.write(script)
    for child in children:
        _read(child, turns)
    for child in children:
        child.communicate()  # the end of its input ends ours
    return directors.cpu() - before


def _read(child: subprocess.Popen[bytes], frames: int) -> None:
    assert child.stdout
    found = 0
    while found < frames:
        data = child.stdout.read(65536)
        if not data:
            raise CannotRun("a loop has ended")
        found += data.count(MARK)


def _ansible(directors: Directors) -> float:
    """Return the milliseconds of CPU of one task on one host, without the start."""
    folder = directors.folder / "ansible"
    folder.mkdir(exist_ok=True)
    login = {
        "ansible_port": directors.port,
        "ansible_user": directors.user,
        "ansible_ssh_private_key_file": str(directors.folder / "login_key"),
    }
    hosts = {
        f"lb{n}": login | {"ansible_host": address_of(n), "number": n}
        for n in range(PLAYED)
    }
    (folder / "inventory.yaml").write_text(json.dumps({"all": {"hosts": hosts}}))

    def play(tasks: int) -> float:
        task = {"ansible.builtin.raw": directors.fetching("{{ number }}")}
        book = [{"hosts": "all", "gather_facts": False, "tasks": [task] * tasks}]
        (folder / "play.yaml").write_text(json.dumps(book))
        words = [str(ansible.program()), "-f", "10", "-i", "inventory.yaml"]
        own = {"HOME": str(folder), "ANSIBLE_TIMEOUT": "60"}
        # A file of its own: ours are non-blocking once ssh has had them, and it refuses.
        with (folder / "log").open("w") as log:
            return cpu(
                lambda: subprocess.run(
                    [*words, "play.yaml"],
                    cwd=folder,
                    env=os.environ | ansible.QUICK | own,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    check=True,
                )
            )

    play(1)  # its connections are kept
    return 1000 * (play(TASKS) - play(1)) / (TASKS - 1) / PLAYED
