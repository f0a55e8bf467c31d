"""Plan 1,000 services x 10 real servers (11,000 rules): from rows to rows.

The whole way: the wish from the database, the answers of eleven hosts, comparison,
rules with their undo and sentences, hash, and the steps written down. The hosts are
models in memory, whose own (small) work is counted along.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench import django
from bench.result import Result, at_most
from bench.rounds import cpu, side_by_side
from cluster.lvs import rules

if TYPE_CHECKING:
    from tests.lab_in_memory import Lab as Site

SERVICES = 1000


def measure() -> Iterator[Result]:
    django.set_up()
    from bench import large
    from cluster.models import RealServer

    def planning(site: Site, lines: int) -> float:
        # As in a worker that has not seen this table before.
        rules.parse.cache_clear()
        used = cpu(site.plan)
        steps = [
            step.value.command for step in site.cluster.runs.latest("pk").steps.all()
        ]
        assert sum(command.stdin.count(b"\n") for command in steps) == lines
        return used

    site = large.in_memory(SERVICES)
    times = side_by_side({"all": lambda: planning(site, 11 * SERVICES)})
    yield Result("all_new", times["all"], at_most(1), "s of CPU")
    assert site.apply().state == "converged"
    server = RealServer.objects.earliest("pk")
    server.weight += 1
    server.save()
    times = side_by_side({"one": lambda: planning(site, 1)})
    yield Result("one_changed", times["one"], at_most(1), "s of CPU")
