"""What it costs a director of the lab to be watched, as CPU of its whole machine.

100 services x 5 real servers, first at rest, then with packets for one of them, which
the client sends; and 1,000 x 10 with packets. By the product's own loop, without anything
else on the host. What a host uses by itself is taken off, as the other director of the
lab uses it in the same seconds, with the same table and packets: it changes by more than
what is measured. A lab host is a machine in a process that is stopped twice for each
system call, and a process that starts there costs tens of milliseconds instead of one:
so the cost is told in starts of ``true``, too, and beside it that of a stream which
brings frames of nothing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

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
# By director; the second is the one that nobody watches.
VIPS = {"lb01": "10.0.1.31", "lb02": "10.0.1.41"}
WATCHED = "lb01"
# A datagram every half second: neither totals nor table stand still.
SENDS = " ".join(f"echo >/dev/udp/{vip}/53;" for vip in VIPS.values())
PACKETS = f"while sleep 0.5; do {SENDS} done"
# The least that a stream costs: a frame of nothing.
NOTHING = (
    r"""n=0; while :; do echo $'\036'"$n $EPOCHREALTIME"; ((n += 1)); """
    f"read -r -t {PERIOD}; (($? > 128)) || exit 0; done"
)
LEAST = Command(("bash", "--norc", "-c", NOTHING))


def measure() -> Iterator[Result]:
    hosts = lab.booted()
    _clean(hosts)
    start = _start(hosts)
    _fill(hosts, 100, 5)
    yield _hundred(_watched(hosts), start, "hundred")
    with _packets(hosts):
        least = _watched(hosts, LEAST).load
        busy = _hundred(_watched(hosts, rounds=2), start, "hundred_busy")
        yield replace(busy, note=f"{busy.note}; frames of nothing: {100 * least:.2f} %")
        _fill(hosts, 1000, 10)
        thousand = _watched(hosts)
    kept = [len(thousand.frames) * PERIOD / WINDOW]
    note = thousand.note(start)
    yield Result("thousand", kept, at_least(0.95), "of the frames in time", note)
    asked = [len(thousand.asked)]
    yield Result("thousand_asked", asked, at_least(1), "times ipvsadm", note)
    _clean(hosts)


def _hundred(watched: _Watched, start: float, name: str) -> Result:
    note = watched.note(start)
    loads = [100 * load for load in watched.loads]
    return Result(name, loads, at_most(1), "% of a core", note)


@dataclass
class _Watched:
    """What came in ``WINDOW`` seconds, the last of *loads*, which are in cores."""

    frames: list[Frame] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    @property
    def load(self) -> float:
        return statistics.median(self.loads)

    @property
    def asked(self) -> list[Sections]:
        found = (split_frame(frame.body) for frame in self.frames)
        return [one for one in found if one.stats is not None]

    def note(self, start: float) -> str:
        """Say it in starts of a process that cost *start* seconds each."""
        return (
            f"{self.load / start:.2f} starts of a process a second, "
            f"{1000 * start:.0f} ms each; counters listed {len(self.asked)} times in"
            f" {WINDOW:.0f} s"
        )


def _watched(hosts: Lab, command: Command = WATCH, rounds: int = 1) -> _Watched:
    idle = _more(hosts, WINDOW / 3)
    found = _Watched()
    who = lab.login(hosts, WATCHED, "piranha")
    stream = open_stream(who, command, found.frames.append, print, timeout=60)
    time.sleep(SETTLE)
    for _round in range(rounds):
        found.frames.clear()
        found.loads.append(_more(hosts, WINDOW) - idle)
    stream.close()
    return found


@contextmanager
def _packets(hosts: Lab) -> Iterator[None]:
    """Let the client send packets for a service of each; none of them is answered."""
    for name, vip in VIPS.items():
        hosts.ssh(name, f"ip addr add {vip}/24 dev eth0")
    hosts.ssh("client", f"systemd-run -q --collect --unit=packets bash -c '{PACKETS}'")
    try:
        yield
    finally:
        hosts.ssh("client", "systemctl stop packets")
        for name, vip in VIPS.items():
            hosts.ssh(name, f"ip addr del {vip}/24 dev eth0")


def _cpu(hosts: Lab, name: str) -> float:
    """Return the seconds of CPU of the host's machine so far."""
    (pid,) = (hosts.state / "hosts" / name).rglob("pid")
    return cpu_of(tree(int(pid.read_text())))


def _more(hosts: Lab, seconds: float) -> float:
    """Return how many cores more the watched one uses than the other."""
    before, began = [_cpu(hosts, name) for name in VIPS], time.monotonic()
    time.sleep(seconds)
    used = [_cpu(hosts, name) - was for name, was in zip(VIPS, before, strict=True)]
    return (used[0] - used[1]) / (time.monotonic() - began)


def _start(hosts: Lab) -> float:
    """Return the seconds of CPU that the start of a process costs there."""
    costs = []
    for count in (0, STARTS):
        before = _cpu(hosts, WATCHED)
        hosts.ssh(WATCHED, f"for n in $(seq {count}); do /bin/true; done")
        costs.append(_cpu(hosts, WATCHED) - before)
    return (costs[1] - costs[0]) / STARTS


def _clean(hosts: Lab) -> None:
    for name in VIPS:
        hosts.ssh(name, CLEAN)


def _fill(hosts: Lab, services: int, servers: int) -> None:
    for name, vip in VIPS.items():
        rules = "".join(f"{rule}\n" for rule in _rules(vip, services, servers))
        with open_shell(lab.login(hosts, name)) as shell:
            assert shell.run(Command(("ipvsadm", "-C"))).ok
            text = rules.encode()
            assert shell.run(Command(("ipvsadm", "-R"), stdin=text, deadline=120)).ok


def _rules(vip: str, services: int, servers: int) -> Iterator[str]:
    yield f"-A -u {vip}:53 -s rr"
    yield f"-a -u {vip}:53 -r 10.0.1.101:53 -g -w 1"
    for n in range(1, services):
        yield f"-A -t {vip}:{1000 + n} -s wrr"
        for m in range(servers):
            yield f"-a -t {vip}:{1000 + n} -r 10.0.1.{101 + m}:{1000 + n} -g -w 1"
