"""plan(observed, desired) -> Plan: the decision as a value, before anything is sent.

The order of a plan, and why:

1. CHECK     the director asks the LAN whether somebody else has the VIP; nothing has
             been changed yet if so.
2. PREPARE   real servers: first silence about the VIP (ARP), then the VIP on lo, so
             that no real server ever answers the LAN for it.
3. TABLE     director: services, then their servers; added and edited, not deleted.
4. BIND      director: the VIP, when the table behind it is ready: no client meets a
             director that has the address but no service.
5. ANNOUNCE  gratuitous ARP, so that neighbours forget an older owner.
6. CUT       director: real servers and services that are no longer wanted. After the
             additions, so a service is never without servers on the way.
7. RELEASE   director: VIPs that nothing needs any more.
8. WITHDRAW  real servers: the route, the VIP, and when it was the last one, ARP.

Only what the footprint says is ours is ever deleted. ``ipvsadm -C`` is never used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from cluster.lvs import change, table_plan
from cluster.lvs.change import Change, Phase
from cluster.lvs.host import (
    LOOPBACK,
    BoundAddress,
    Footprint,
    HostState,
    HostWish,
)
from cluster.lvs.real_server import vips_on_loopback
from cluster.lvs.table import IPAddress


@dataclass(frozen=True)
class Plan:
    """An ordered tuple of changes; empty when every host is as desired.

    *adds* holds per host what will be ours once the plan has run.
    """

    changes: tuple[Change, ...]
    adds: Mapping[str, Footprint]

    @property
    def hosts(self) -> list[str]:
        return list(dict.fromkeys(change.host for change in self.changes))

    @property
    def is_empty(self) -> bool:
        return not any(change.writes for change in self.changes)

    @cached_property
    def hash(self) -> str:
        """A digest of every command in its order; the same facts give the same."""
        text = json.dumps([change.as_json() for change in self.changes], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def plan(
    observed: Mapping[str, HostState],
    desired: Mapping[str, HostWish],
    footprints: Mapping[str, Footprint],
    names: Mapping[IPAddress, str] | None = None,
) -> Plan:
    """Return what turns *observed* into *desired*, for every observed host.

    *names* maps addresses of real servers to names, for the sentences only.
    """
    changes: list[Change] = []
    adds = {}
    for host, state in observed.items():
        wish = desired.get(host, HostWish())
        footprint = footprints.get(host, Footprint())
        changes += _addresses(host, state, wish, footprint)
        changes += _routes(host, state, wish, footprint)
        changes += _sysctls(host, state, wish, footprint)
        changes += table_plan.changes(
            host, state.table, wish.table, footprint.services, names or {}
        )
        adds[host] = _new_footprint(state, wish)
    # sorted() is stable: inside a phase the hosts keep their order, and a host the
    # order in which its changes were made above.
    return Plan(tuple(sorted(changes, key=_order)), adds)


def _order(step: Change) -> tuple[int, int]:
    # ARP before the address when preparing; the route before the address when leaving.
    rank = {"sysctl": 0, "ip": 1}.get(step.command.argv[0], 2)
    leaving = step.phase is Phase.WITHDRAW
    if step.command.argv[:2] == ("ip", "route"):
        rank = 0 if leaving else 2
    elif step.command.argv[0] == "sysctl" and leaving:
        rank = 3
    return (step.phase, rank)


def _addresses(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    wanted = {bound.key for bound in wish.addresses}
    for bound in wish.addresses:
        if state.holds(bound):
            continue
        if bound.device == LOOPBACK:
            yield change.bind_address(host, Phase.PREPARE, bound)
        else:
            yield change.check_address_free(host, bound)
            yield change.bind_address(host, Phase.BIND, bound)
            yield change.announce_address(host, bound)
    for bound in footprint.addresses:
        if bound.key not in wanted and state.holds(bound):
            inner = bound.device == LOOPBACK
            phase = Phase.WITHDRAW if inner else Phase.RELEASE
            yield change.release_address(host, phase, bound)


def _routes(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    for route in wish.routes:
        if route not in state.routes:
            yield change.add_route(host, route)
    for route in footprint.routes:
        if route not in wish.routes and route in state.routes:
            yield change.delete_route(host, route)


def _sysctls(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    now, wanted = dict(state.sysctls), dict(wish.sysctls)
    missing = {key: value for key, value in wanted.items() if now.get(key) != value}
    if missing:
        yield change.set_sysctls(host, missing, now, last=False)
    leaving = {
        key: before
        for key, before in footprint.sysctls
        if key not in wanted and now.get(key) not in (None, before)
    }
    # The rule of the notes: never back to 0 while any other VIP is bound to lo,
    # be it ours or one that somebody bound by hand.
    if leaving and not _foreign_vips(state, footprint):
        yield change.set_sysctls(host, leaving, now, last=True)


def _foreign_vips(state: HostState, footprint: Footprint) -> list[BoundAddress]:
    ours = {bound.key for bound in footprint.addresses}
    return [bound for bound in vips_on_loopback(state) if bound.key not in ours]


def _new_footprint(state: HostState, wish: HostWish) -> Footprint:
    """What the plan adds; things that were there before stay somebody else's."""
    now = dict(state.sysctls)
    present = state.table.by_address
    return Footprint(
        tuple(b for b in wish.addresses if not state.holds(b)),
        tuple(r for r in wish.routes if r not in state.routes),
        tuple((k, now[k]) for k, v in wish.sysctls if k in now and now[k] != v),
        tuple(s.at for s in wish.table.services if s.at not in present),
    )
