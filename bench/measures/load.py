"""What it costs a director of the lab to be watched, as CPU of its whole machine.

100 services x 5 real servers, and 1,000 x 10, by the product's own loop, without anything
else on the host; what the host uses by itself is taken off. A lab host is a machine in a
process that is stopped twice for each system call, and a process that starts there costs
tens of milliseconds instead of one: so the cost is told in starts of ``true``, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench import lab
from bench.processes import cpu_of, tree
from bench.result import Result, at_least, at_most
from cluster.lvs.command import Command
from cluster.lvs.frame import PERIOD, WATCH, Sections, split_frame
from cluster.remote.frames import Frame
from cluster.remote.paramiko_shell import open_shell
from cluster.remote.stream import open_stream
from tests.lab.running import CLEAN, Lab

SETTLE, WINDOW, STARTS = 10.0, 40.0, 50


def measure() -> Iterator[Result]:
    hosts = lab.booted()
    hosts.ssh("lb01", CLEAN)
    start = _start(hosts)
    for name, services, servers in (("hundred", 100, 5), ("thousand", 1000, 10)):
        _fill(hosts, services, servers)
        idle = _load(hosts, lambda: time.sleep(WINDOW))
        told = _Told()
        stream = open_stream(
            lab.login(hosts, "piranha"), WATCH, told.take, print, timeout=60
        )
        time.sleep(SETTLE)
        told.sections.clear()
        load = _load(hosts, lambda: time.sleep(WINDOW)) - idle
        stream.close()
        asked = [one for one in told.sections if one.stats is not None]
        every = max((one.stats_pause for one in asked), default=0.0)
        note = (
            f"{load / start:.2f} starts of a process a second, {1000 * start:.0f} ms "
            f"each; ipvsadm every {every:.0f} s"
        )
        if services == 100:
            yield Result(name, [100 * load], at_most(1), "% of a core", note)
        else:
            due = WINDOW / PERIOD
            kept = [len(told.sections) / due]
            yield Result(name, kept, at_least(0.95), "of the frames in time", note)
            yield Result(
                "thousand_asked", [len(asked)], at_least(1), "times ipvsadm", note
            )
    hosts.ssh("lb01", CLEAN)


@dataclass
class _Told:
    sections: list[Sections] = field(default_factory=list)

    def take(self, frame: Frame) -> None:
        self.sections.append(split_frame(frame.body))


def _machine(hosts: Lab) -> int:
    (pid,) = (hosts.state / "hosts" / "lb01").rglob("pid")
    return int(pid.read_text())


def _load(hosts: Lab, work: Callable[[], object]) -> float:
    """Return the seconds of CPU of the host's machine a second of *work*."""
    pid = _machine(hosts)
    before, began = cpu_of(tree(pid)), time.monotonic()
    work()
    return (cpu_of(tree(pid)) - before) / (time.monotonic() - began)


def _start(hosts: Lab) -> float:
    """Return the seconds of CPU that the start of a process costs there."""
    pid = _machine(hosts)
    costs = []
    for count in (0, STARTS):
        before = cpu_of(tree(pid))
        hosts.ssh("lb01", f"for n in $(seq {count}); do /bin/true; done")
        costs.append(cpu_of(tree(pid)) - before)
    return (costs[1] - costs[0]) / STARTS


def _fill(hosts: Lab, services: int, servers: int) -> None:
    rules = []
    for n in range(services):
        place = f"10.0.1.{31 + n // 250}:{1000 + n % 250}"
        rules.append(f"-A -t {place} -s wrr")
        rules += [
            f"-a -t {place} -r 10.0.1.{101 + m}:{1000 + n % 250} -g -w 1"
            for m in range(servers)
        ]
    with open_shell(lab.login(hosts)) as shell:
        assert shell.run(Command(("ipvsadm", "-C"))).ok
        text = "".join(f"{rule}\n" for rule in rules).encode()
        assert shell.run(Command(("ipvsadm", "-R"), stdin=text, deadline=120)).ok
