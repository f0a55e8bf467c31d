"""What a plan adds to a host: things that were there before stay somebody else's."""

from __future__ import annotations

from cluster.lvs import settings_plan, sysctls
from cluster.lvs.host import (
    ABSENT,
    BROUGHT,
    DOWN,
    FOU,
    Footprint,
    HostState,
    HostWish,
    Tunnel,
)


def added(state: HostState, wish: HostWish) -> Footprint:
    """Return what is ours once a plan for this wish has run, and was not there."""
    now = dict(state.sysctls)
    before = {key: sysctls.value(now, key) for key, _value in wish.sysctls}
    present = state.table.by_address
    new = Footprint(
        tuple(b for b in wish.addresses if not state.answers_for(b)),
        tuple(r for r in wish.routes if r not in state.routes),
        tuple((k, old) for k, v in wish.sysctls if (old := before[k]) and old != v),
        tuple(s.at for s in wish.table.services if s.at not in present),
        tuple(_tunnels_before(state, wish).items()),
        tuple(rule for rule in wish.source_nat if rule not in state.source_nat),
        tuple(port for port in wish.gue if port not in (state.gue or ())),
        (FOU,) if wish.gue and state.gue is None else (),
        boot=state.boot.ready and wish != HostWish(),
        marks=tuple(rule for rule in wish.marks if rule not in state.marks),
    )
    return new | settings_plan.added(state, wish)


def _tunnels_before(state: HostState, wish: HostWish) -> dict[str, str]:
    """Return the devices that the plan makes or switches on, with what they were."""
    loaded = {there.module for there in state.tunnels}
    # The first device of a module stands for the module.
    brought = [BROUGHT[t.module][0] for t in wish.tunnels if t.module not in loaded]
    names = [*brought, *(tunnel.name for tunnel in wish.tunnels)]
    return {name: was for name in names if (was := _lacks(state.tunnel(name)))}


def _lacks(there: Tunnel | None) -> str:
    if there is None:
        return ABSENT
    return "" if there.up else DOWN
