"""For pairs of random tables, on the real kernel: the plan from one leads to the other.

One table follows upon the other, each by the plan from the one before, many in one
script. Where the kernel ended is compared here: a pair costs the director four processes.
"""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from cluster.lvs import counters, facts, rules, table_plan
from cluster.lvs.table import Table
from tests.tables import stock_tables

pytestmark = [pytest.mark.lab, pytest.mark.long]

PAIRS, BATCH = 200, 25
MARK = "----"


def drawn(count: int) -> list[Table]:
    """Return tables of the strategy that the property tests of the model use, of those
    that the ipvsadm of the lab knows the words for."""
    found: list[Table] = []

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(stock_tables)
    def draw(table: Table) -> None:
        found.append(table)

    draw()
    return found


def script(chain: list[Table]) -> str:
    """Return what leads from each table to the next, with a listing at each end."""
    start = (
        [f"ipvsadm -R <<'END'\n{rules.render(chain[0])}END"]
        if chain[0].services
        else []
    )
    lines = ["exec 2>&1; ipvsadm -C", *start]
    for before, after in pairwise(chain):
        for change in changes(before, after):
            text = change.command.stdin.decode()
            lines.append(f"ipvsadm -R <<'END'\n{text}END")
        lines.append(f"echo {MARK}; ipvsadm -Sn; echo {MARK}; ipvsadm -Ln --thresholds")
        lines.append(f"echo {MARK}")
    return "\n".join([*lines, "ipvsadm -C"]) + "\n"


def changes(before: Table, after: Table):
    ours = [service.at for service in before.services]
    return table_plan.changes("", before, after, ours, {})


def normal(table: Table) -> Table:
    return Table(tuple(map(table_plan.normal, table.services)), table.unknown)


@pytest.mark.timeout(900)
def test_the_kernel_follows_the_plan_from_any_table_to_any_other(lab):
    found = [Table(), *drawn(PAIRS)]
    assert len(found) > PAIRS // 2
    for first in range(0, len(found) - 1, BATCH):
        chain = found[first : first + BATCH + 1]
        # What is said between two pairs is a complaint about the next change.
        said = lab.ssh("lb01", script(chain)).split(f"{MARK}\n")
        complaints, listings, limits = said[0::3], said[1::3], said[2::3]
        for n, (before, after) in enumerate(pairwise(chain)):
            told = f"{rules.render(before)}->\n{rules.render(after)}"
            assert complaints[n] == "", told
            seen = facts.with_thresholds(
                rules.parse(listings[n]), counters.parse_thresholds(limits[n])
            )
            assert normal(seen) == normal(after), told
            assert changes(seen, after) == [], told
