"""A host that was started anew in the middle of a run: what it had of ours, and lost.

The kernel forgets its IPVS table, added addresses and routes; only what a file on the
host brings back is there again.
"""

from __future__ import annotations

from cluster.lvs.host import Footprint, HostState
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _


def lost(
    host: str, before: HostState, now: HostState, ours: Footprint
) -> list[Sentence]:
    """Return what of *ours* was there before the run and is gone with the restart."""
    if not before.boot_id or before.boot_id == now.boot_id:
        return []
    had = ours.still_on(before)
    has = had.still_on(now)
    names = [
        *(str(b) for b in had.addresses if b not in has.addresses),
        *(f"{r.destination} dev {r.device}" for r in had.routes if r not in has.routes),
        *(str(at) for at in had.services if at not in has.services),
        *(key for key, _value in had.sysctls if key not in dict(has.sysctls)),
    ]
    if not names:
        return []
    return [
        _("{host} was started anew during the run and has lost: {names}",
          host=host, names=listed(names))
    ]  # fmt: skip
