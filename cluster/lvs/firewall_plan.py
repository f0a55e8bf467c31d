"""The part of a plan that changes rules of the firewall: FULLNAT and firewall marks."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.lvs import change, marks, source_nat
from cluster.lvs.change import Change
from cluster.lvs.host import Footprint, HostState, HostWish


def changes(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    """Yield the rules that are missing, and those of ours that nobody wants."""
    yield from _source_nat(host, state, wish, footprint)
    yield from _marks(host, state, wish, footprint)


def _source_nat(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    tool = state.firewall or source_nat.LEGACY
    for rule in wish.source_nat:
        if rule not in state.source_nat:
            yield change.add_source_nat(host, tool, rule)
    for rule in footprint.source_nat:
        if rule not in wish.source_nat and rule in state.source_nat:
            yield change.delete_source_nat(host, tool, rule)


def _marks(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    tools = {f: marks.tool_for(f, state.firewall or source_nat.LEGACY) for f in (4, 6)}
    for rule in wish.marks:
        if rule not in state.marks:
            yield change.add_mark(host, tools[rule.family], rule)
    for rule in footprint.marks:
        if rule not in wish.marks and rule in state.marks:
            yield change.delete_mark(host, tools[rule.family], rule)
