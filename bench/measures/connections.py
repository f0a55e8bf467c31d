"""Search a connection table of a million: on the director, or all of it in the dashboard.

Both read the same entries from a file, as no kernel here holds a million connections: the
kernel's own work for a reading, which is the same for both, is in neither number.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

from bench.result import Result, at_least, at_most
from bench.rounds import cpu, ratios, seconds, side_by_side
from cluster.lvs.connections import SECONDS, Filter, parse, question

ENTRIES = 1_000_000
HEAD = (
    "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
)
LISTED = "IPVS connection entries\npro expire state       source             virtual            destination\n"
STATES = ("ESTABLISHED", "FIN_WAIT", "TIME_WAIT", "SYN_RECV")
WANTED = Filter(client=ip_network("10.7.0.0/16"), state="ESTABLISHED")


def write(kernel: Path, listed: Path) -> None:
    """Write the same entries as the kernel tells them and as ``ipvsadm -Lcn`` does."""
    chance = random.Random(4)  # noqa: S311 - entries of a table, no secrets
    with kernel.open("w") as one, listed.open("w") as other:
        one.write(HEAD)
        other.write(LISTED)
        for n in range(ENTRIES):
            a, b, c = chance.randrange(64), chance.randrange(256), chance.randrange(256)
            port, left = chance.randrange(1024, 65536), chance.randrange(900)
            state, server = STATES[n % 7 % 4], n % 20 + 1
            one.write(
                f"TCP 0A{a:02X}{b:02X}{c:02X} {port:04X} 0A00011F 0050"
                f" 0A0002{server:02X} 0050 {state:<11} {left:7}\n"
            )
            source = f"10.{a}.{b}.{c}:{port}"
            other.write(
                f"TCP {left // 60:02}:{left % 60:02}  {state:<11} {source:<18}"
                f" 10.0.1.31:80       10.0.2.{server}:80\n"
            )


def on_the_director(table: Path, limit: float) -> bytes:
    command = question(WANTED, str(table), limit)
    done = subprocess.run(
        command.argv, input=command.stdin, capture_output=True, check=True
    )
    return done.stdout


def in_the_dashboard(listed: Path) -> dict[str, Counter[str]]:
    """Fetch the whole text and do the same with it, as plainly as Python can."""
    text = subprocess.run(
        ["cat", str(listed)],
        capture_output=True,
        check=True,
    ).stdout.decode()
    names = ("states", "services", "servers", "clients")
    found: dict[str, Counter[str]] = {name: Counter() for name in names}
    for line in text.splitlines()[2:]:
        protocol, _left, state, source, virtual, server = line.split()
        if state != WANTED.state or not source.startswith("10.7."):
            continue
        found["states"][state] += 1
        found["services"][f"{protocol} {virtual}"] += 1
        found["servers"][server] += 1
        found["clients"][source.rpartition(":")[0]] += 1
    return found


def measure() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        kernel, listed = Path(folder, "ip_vs_conn"), Path(folder, "ipvsadm-Lcn")
        write(kernel, listed)
        ours = parse(on_the_director(kernel, 60).decode())
        theirs = in_the_dashboard(listed)
        assert ours.read == ENTRIES
        assert ours.connections == theirs["states"].total()
        assert dict(ours.servers) == dict(theirs["servers"].most_common(10))
        times = side_by_side(
            {
                "ours": lambda: cpu(
                    lambda: parse(on_the_director(kernel, 60).decode())
                ),
                "theirs": lambda: cpu(lambda: in_the_dashboard(listed)),
                "our dashboard": lambda: own(
                    lambda: parse(on_the_director(kernel, 60).decode())
                ),
                "their dashboard": lambda: own(lambda: in_the_dashboard(listed)),
                "capped": lambda: cpu(lambda: on_the_director(kernel, SECONDS)),
                "clock": lambda: seconds(lambda: on_the_director(kernel, SECONDS)),
            }
        )
        fewer = listed.stat().st_size / len(on_the_director(kernel, 60))
    yield Result("bytes", [fewer], at_least(1000), "times fewer bytes")
    dashboard = ratios(times["their dashboard"], times["our dashboard"])
    yield Result("dashboard", dashboard, at_least(100), "times less CPU")
    both = ratios(times["theirs"], times["ours"])
    note = "director and dashboard; without SSH, ipvsadm and the kernel"
    yield Result("cpu", both, at_least(1), "times less CPU", note, {**times})
    yield Result("director", times["capped"], at_most(SECONDS), "s of its CPU, capped")
    yield Result("clock", times["clock"], at_most(SECONDS + 1), "s, capped")


def own(work: Callable[[], object]) -> float:
    """Return the seconds of CPU of this process alone."""
    began = time.process_time()
    work()
    return time.process_time() - began
