"""Read ``ipvsadm -Ln --stats --exact`` of a large director: 9,091 services x 10.

Lines a second depend on the machine; the obvious parser, a regular expression for each
line, reads the same text into the same rows beside it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from bench.result import Result, at_least
from bench.rounds import cpu, ratios, side_by_side
from cluster.lvs.counters import Counters
from cluster.lvs.stats import StatsReader, parse_stats

HEAD = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
"""
LINE = re.compile(
    r"(?:(TCP|UDP|SCTP|FWM)|  ->)\s+(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)"
)
CELLS = " {:8} {:8} {:8} {:8} {:8}\n"


def listing(services: int, servers: int) -> str:
    """Return a listing as ipvsadm 1.31 prints it, with numbers of all lengths."""
    chance = random.Random(2)  # noqa: S311 - numbers of a listing, no secrets

    def row(name: str) -> str:
        conns, packets = chance.randrange(10**6), chance.randrange(10**9)
        return f"{name:<34}" + CELLS.format(conns, packets, 0, packets * 540, 0)

    rows = [HEAD]
    for n in range(services):
        rows.append(row(f"TCP  10.{n // 62500}.{n // 250 % 250}.{n % 250}:80"))
        rows += [row(f"  -> 10.9.{n % 250}.{m + 1}:80") for m in range(servers)]
    return "".join(rows)


def later(text: str, share: float) -> str:
    """Return the listing some time later: *share* of its rows have other numbers."""
    chance = random.Random(3)  # noqa: S311
    lines = text.splitlines(keepends=True)
    for n in range(3, len(lines)):
        if chance.random() < share:
            lines[n] = lines[n][:34] + CELLS.format(n, n, 0, n * 540, 0)
    return "".join(lines)


def by_regex(data: bytes) -> dict[str, Counters]:
    """Read it as one would write it down first; it believes whatever it is given."""
    rows = {}
    service = ""
    for line in data.decode().splitlines():
        if found := LINE.match(line):
            kind, name, *numbers = found.groups()
            service = f"{kind} {name}" if kind else service
            key = service if kind else f"{service} {name}"
            rows[key] = Counters(*map(int, numbers))
    return rows


def measure() -> Iterator[Result]:
    text = listing(9091, 10)
    before, after = text.encode(), later(text, 0.049).encode()
    lines = before.count(b"\n")
    if by_regex(before) != parse_stats(before).rows:
        raise AssertionError("the two parsers read different rows")

    def changed() -> float:
        reader = StatsReader()
        reader.read(before)
        return cpu(lambda: reader.read(after))

    times = side_by_side(
        {
            "whole": lambda: cpu(lambda: parse_stats(before)),
            "changed": changed,
            "regex": lambda: cpu(lambda: by_regex(before)),
        },
        9,
    )
    speed = {name: [lines / one for one in some] for name, some in times.items()}
    yield Result("whole", speed["whole"], at_least(600_000), "lines/s")
    yield Result("changed", speed["changed"], at_least(4_000_000), "lines/s")
    less = "times less CPU than a regex per line"
    yield Result(
        "whole_ratio", ratios(times["regex"], times["whole"]), at_least(1.4), less
    )
    yield Result(
        "changed_ratio", ratios(times["regex"], times["changed"]), at_least(9.3), less
    )
