"""Plan 1,000 services x 10 real servers (11,000 rules): from rows to rows.

The whole way: the wish from the database, the answers of eleven hosts, comparison,
rules with their undo and sentences, hash, and the steps written down. The hosts are
models in memory, whose own (small) work is counted along.

And how the cost of one changed weight grows with the table, from 110 to 11,000 rules: how
much of it is deciding (checks, comparison, order, rules, sentences, boot file), and how
much is reading, which is the wish from its rows and what hosts answer, and keeping both
as JSON. Deciding is not free of the table: it looks at each service once. What is sent
for that weight, to the kernel and to the boot file, must not grow at all, and its undo
neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench import django
from bench.result import Result, at_most
from bench.rounds import cpu, ratios, side_by_side, timed
from cluster.lvs import rules

if TYPE_CHECKING:
    from tests.lab_in_memory import Lab as Site

SERVICES = 1000
SIZES = (10, 100, 1000)
ROUNDS = 3
# Each of them goes through the whole table, so that it grows, too: they are counted so
# that it can be seen by how much.
DECIDING = (
    *("_refuse_blind", "_refuse_settings", "_refuse_marks", "_refuse_detours"),
    *("wishes_of", "plan_for", "cautions", "with_old_texts"),
)


def measure() -> Iterator[Result]:
    django.set_up()
    from bench import large
    from cluster.models.services import _server

    def planning(site: Site, lines: int) -> float:
        # As in a worker that has not seen this table before.
        for known in (rules.parse, rules.parse_service, rules.parse_server, _server):
            known.cache_clear()
        used = cpu(site.plan)
        steps = site.cluster.runs.latest("pk").steps.all()
        sent = [step.value.command for step in steps]
        tables = [c.stdin.count(b"\n") for c in sent if c.argv[0] == "ipvsadm"]
        assert sum(tables) == lines
        return used

    site = large.in_memory(SERVICES)
    times = side_by_side({"all": lambda: planning(site, 11 * SERVICES)})
    yield Result("all_new", times["all"], at_most(1), "s of CPU")
    assert site.apply().state == "converged"
    large.weigh_one_more()
    times = side_by_side({"one": lambda: planning(site, 1)})
    yield Result("one_changed", times["one"], at_most(1), "s of CPU")
    yield from _growth(site, lambda: planning(site, 1))


def _growth(site: Site, plan_one: Callable[[], float]) -> Iterator[Result]:
    """What deciding on one line grows by, for each second that reading grows by, and
    how many times as much is sent for it."""
    from bench import large
    from cluster.control import planning

    used: dict[str, list[tuple[float, float]]] = {}
    sent: dict[str, list[int]] = {}
    for services in SIZES:
        large.begin_anew(site, services)
        used[f"{services * 11} rules"] = rounds = []
        sent[f"{services * 11} rules"] = lengths = []
        for _round in range(ROUNDS):
            large.weigh_one_more()
            with ExitStack() as watched:
                parts = [watched.enter_context(timed(planning, n)) for n in DECIDING]
                whole = plan_one()
            deciding = sum(map(sum, parts))
            rounds.append((deciding, whole - deciding))
            lengths.append(_bytes_to_send(site))
    small, *_between, large_ = used.values()
    grown = [
        (decides - decided) / (reads - read)
        for (decided, read), (decides, reads) in zip(small, large_, strict=True)
    ]
    details = {"deciding and reading, s of CPU": used}
    yield Result("one_grows", grown, at_most(0.2), "of what reading grows", "", details)
    lengths_of = [*sent.values()]
    yield Result(
        "one_sent",
        ratios(lengths_of[-1], lengths_of[0]),
        at_most(1.1),
        "times the bytes of a small table",
        "",
        {"bytes to send, with the undo": sent},
    )


def _bytes_to_send(site: Site) -> int:
    """Return the length of all commands of the newest plan and of their undo."""
    steps = [step.value for step in site.cluster.runs.latest("pk").steps.all()]
    commands = [c for step in steps for c in (step.command, step.undo) if c]
    return sum(len(c.line) + len(c.stdin) for c in commands)
