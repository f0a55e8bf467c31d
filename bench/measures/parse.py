"""Read ``ipvsadm -Ln --stats --exact`` of a large director: 9,091 services x 10."""

from __future__ import annotations

import random
from collections.abc import Iterator

from bench.result import Result, at_least
from bench.rounds import cpu, ratios, side_by_side
from cluster.lvs.kernel_table import parse_stats_rows

HEAD = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
"""
ROW = "%-34s%9d%9d%9d%9d%9d\n"


def listing(services: int, servers: int) -> str:
    """Return a listing as ipvsadm 1.31 prints it, with numbers of all lengths."""
    chance = random.Random(2)  # noqa: S311 - numbers of a listing, no secrets

    def row(name: str) -> str:
        conns, packets = chance.randrange(10**6), chance.randrange(10**9)
        return ROW % (name, conns, packets, 0, packets * 540, 0)

    rows = [HEAD]
    for n in range(services):
        rows.append(row(f"TCP  10.{n // 62500}.{n // 250 % 250}.{n % 250}:80"))
        rows += [row(f"  -> 10.9.{n % 250}.{m + 1}:80") for m in range(servers)]
    return "".join(rows)


def measure() -> Iterator[Result]:
    text = listing(9091, 10)
    lines = text.count("\n")
    times = side_by_side({"whole": lambda: cpu(lambda: parse_stats_rows(text))}, 7)
    speed = ratios([lines] * 7, times["whole"])
    yield Result("whole", speed, at_least(600_000), "lines/s")
