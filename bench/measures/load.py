"""What it costs a director of the lab to be watched, as CPU of its whole machine.

100 services x 5 real servers, first at rest, then with packets for one of them, which
the client sends; and 1,000 x 10 with packets. By the product's own loop, without anything
else on the host; what the host uses by itself is taken off. A lab host is a machine in a
process that is stopped twice for each system call, and a process that starts there costs
tens of milliseconds instead of one: so the cost is told in starts of ``true``, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench import lab
from bench.processes import cpu_of, tree
from bench.result import Result, at_least, at_most
from cluster.lvs.command import Command
from cluster.lvs.frame import PERIOD, SELDOM_EVERY, WATCH, Sections, split_frame
from cluster.remote.frames import Frame
from cluster.remote.paramiko_shell import open_shell
from cluster.remote.stream import open_stream
from tests.lab.running import CLEAN, Lab

SETTLE, STARTS = 10.0, 50
# Everything that is asked at all is asked once in it.
WINDOW = SELDOM_EVERY * PERIOD
VIP = "10.0.1.31"
# A datagram every half second: neither totals nor table stand still.
PACKETS = f"while sleep 0.5; do echo >/dev/udp/{VIP}/53; done"


def measure() -> Iterator[Result]:
    hosts = lab.booted()
    hosts.ssh("lb01", CLEAN)
    start = _start(hosts)
    _fill(hosts, 100, 5)
    yield _hundred(_watched(hosts), start, "hundred")
    with _packets(hosts):
        yield _hundred(_watched(hosts), start, "hundred_busy")
        _fill(hosts, 1000, 10)
        thousand = _watched(hosts)
    kept = [len(thousand.sections) * PERIOD / WINDOW]
    note = thousand.note(start)
    yield Result("thousand", kept, at_least(0.95), "of the frames in time", note)
    asked = [len(thousand.asked)]
    yield Result("thousand_asked", asked, at_least(1), "times ipvsadm", note)
    hosts.ssh("lb01", CLEAN)


def _hundred(watched: _Watched, start: float, name: str) -> Result:
    note = watched.note(start)
    return Result(name, [100 * watched.load], at_most(1), "% of a core", note)


@dataclass
class _Watched:
    """What came in ``WINDOW`` seconds; *load* is in cores."""

    sections: list[Sections] = field(default_factory=list)
    load: float = 0.0

    def take(self, frame: Frame) -> None:
        self.sections.append(split_frame(frame.body))

    @property
    def asked(self) -> list[Sections]:
        return [one for one in self.sections if one.stats is not None]

    def note(self, start: float) -> str:
        """Say it in starts of a process that cost *start* seconds each."""
        return (
            f"{self.load / start:.2f} starts of a process a second, "
            f"{1000 * start:.0f} ms each; counters listed {len(self.asked)} times in"
            f" {WINDOW:.0f} s"
        )


def _watched(hosts: Lab) -> _Watched:
    idle = _load(hosts, lambda: time.sleep(WINDOW / 2))
    found = _Watched()
    who = lab.login(hosts, "piranha")
    stream = open_stream(who, WATCH, found.take, print, timeout=60)
    time.sleep(SETTLE)
    found.sections.clear()
    found.load = _load(hosts, lambda: time.sleep(WINDOW)) - idle
    stream.close()
    return found


@contextmanager
def _packets(hosts: Lab) -> Iterator[None]:
    """Let the client send packets for a service; none of them is answered."""
    hosts.ssh("lb01", f"ip addr add {VIP}/24 dev eth0")
    hosts.ssh("client", f"systemd-run -q --collect --unit=packets bash -c '{PACKETS}'")
    try:
        yield
    finally:
        hosts.ssh("client", "systemctl stop packets")
        hosts.ssh("lb01", f"ip addr del {VIP}/24 dev eth0")


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
    rules = [f"-A -u {VIP}:53 -s rr", f"-a -u {VIP}:53 -r 10.0.1.101:53 -g -w 1"]
    for n in range(1, services):
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
