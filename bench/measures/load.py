"""What it costs a director of the lab to be watched, as CPU of its whole machine.

100 services x 5 real servers, first at rest, then with packets for one of them, which
the client sends; and 1,000 x 10 with packets. By the product's own loop, without anything
else on the host. What a host uses by itself changes by more than what is measured: it is
taken off as the other director of the lab uses it in the same seconds, with the same
table and packets, and both are watched in turn. A lab host is a machine in a process that
is stopped twice for each system call, and a process that starts there costs tens of
milliseconds instead of one: so the cost is told in starts of ``true``, too, and beside it
that of a stream which brings frames of nothing.
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
# By director.
VIPS = {"lb01": "10.0.1.31", "lb02": "10.0.1.41"}
# In the second half the other one comes first, so that a drift of the machine is no load.
IN_TURN = (*VIPS, *reversed(VIPS))
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
    yield _hundred(_in_turn(hosts), start, "hundred")
    with _packets(hosts):
        least = statistics.mean(_loads(_in_turn(hosts, LEAST, WINDOW / 2)))
        busy = _hundred(_in_turn(hosts), start, "hundred_busy")
        yield replace(busy, note=f"{busy.note}; frames of nothing: {100 * least:.2f} %")
        _fill(hosts, 1000, 10)
        thousand = _watched(hosts, "lb01")
    kept = [len(thousand.frames) * PERIOD / WINDOW]
    yield Result(
        "thousand", kept, at_least(0.95), "of the frames in time", thousand.asks
    )
    asked = [len(thousand.asked)]
    yield Result("thousand_asked", asked, at_least(1), "times ipvsadm", thousand.asks)
    _clean(hosts)


@dataclass
class _Watched:
    """What came in so many seconds, and what was used in them."""

    seconds: float
    frames: list[Frame] = field(default_factory=list)
    # In cores: how much more than the other director.
    more: float = 0.0

    @property
    def asked(self) -> list[Sections]:
        found = (split_frame(frame.body) for frame in self.frames)
        return [one for one in found if one.stats is not None]

    @property
    def asks(self) -> str:
        return f"counters listed {len(self.asked)} times in {self.seconds:.0f} s"


def _hundred(watched: list[_Watched], start: float, name: str) -> Result:
    """Say it in starts of a process, too, that cost *start* seconds each."""
    loads = _loads(watched)
    note = (
        f"{statistics.mean(loads) / start:.2f} starts of a process a second, "
        f"{1000 * start:.0f} ms each; {watched[-1].asks}"
    )
    percent = [100 * load for load in loads]
    return Result(name, percent, at_most(1), "% of a core", note)


def _loads(watched: list[_Watched]) -> list[float]:
    """Return the load by each turn: what one of the two uses by itself is not in it."""
    pairs = zip(watched[::2], watched[1::2], strict=True)
    return [(one.more + other.more) / 2 for one, other in pairs]


def _in_turn(
    hosts: Lab, command: Command = WATCH, seconds: float = WINDOW
) -> list[_Watched]:
    return [_watched(hosts, name, command, seconds) for name in IN_TURN]


def _watched(
    hosts: Lab, name: str, command: Command = WATCH, seconds: float = WINDOW
) -> _Watched:
    found = _Watched(seconds)
    who = lab.login(hosts, name, "piranha")
    stream = open_stream(who, command, found.frames.append, print, timeout=60)
    time.sleep(SETTLE)
    found.frames.clear()
    found.more = _more(hosts, name, seconds)
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


def _more(hosts: Lab, name: str, seconds: float) -> float:
    """Return how many cores more than the other one the director uses."""
    before, began = {each: _cpu(hosts, each) for each in VIPS}, time.monotonic()
    time.sleep(seconds)
    used = {each: _cpu(hosts, each) - before[each] for each in VIPS}
    return (2 * used[name] - sum(used.values())) / (time.monotonic() - began)


def _start(hosts: Lab) -> float:
    """Return the seconds of CPU that the start of a process costs there."""
    costs = []
    for count in (0, STARTS):
        before = _cpu(hosts, "lb01")
        hosts.ssh("lb01", f"for n in $(seq {count}); do /bin/true; done")
        costs.append(_cpu(hosts, "lb01") - before)
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
