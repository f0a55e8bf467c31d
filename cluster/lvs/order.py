"""The order of the steps of a plan; the reasons stand at the top of ``plan.py``."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.lvs import marks, source_nat
from cluster.lvs.change import Change, Mark, Phase

# What a host gets first when it is prepared; it gives it back the other way round.
_PREPARING = (
    ("modprobe",),
    ("ip", "link", "add"),
    ("ip", "link", "del"),
    ("sysctl",),
    ("ipvsadm",),
    ("ip", "link", "set"),
    ("ip", "fou"),
    ("ip", "addr"),
    ("ip", "route"),
    *((tool,) for tool in (*source_nat.TOOLS, *marks.TOOLS6)),
)


# A VIP that moves: the old director first, then the new one.
_HANDING_OVER = (Mark.DELETE, Mark.ADD)


def order(step: Change, hosts: Sequence[str]) -> tuple[int, int, int]:
    """Sort key: by phase, and inside of it by what needs what.

    What prepares a host needs no other host, so that is done host by host, in as few
    round trips as possible.
    """
    if step.phase is Phase.BIND:
        return (step.phase, 0, _HANDING_OVER.index(step.mark))
    host = hosts.index(step.host)
    if step.phase is Phase.TABLE:
        # Packets get a mark when there is a service for it.
        return (step.phase, host, int(step.command.argv[0] != "ipvsadm"))
    if step.phase not in (Phase.PREPARE, Phase.WITHDRAW):
        return (step.phase, 0, 0)
    argv = step.command.argv
    rank = next(n for n, head in enumerate(_PREPARING) if argv[: len(head)] == head)
    late = step.phase is Phase.WITHDRAW
    return (step.phase, host, -rank if late else rank)
