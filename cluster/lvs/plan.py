"""plan(observed, desired) -> Plan: the decision as a value, before anything is sent.

The order of a plan, and why:

0. ARM       where a run has to be confirmed afterwards: each host learns to undo it by
             itself (``arming.py``).
1. CHECK     the director asks the LAN whether somebody else has the VIP; nothing has
             been changed yet if so.
2. PREPARE   real servers: first silence about the VIP (ARP), then the VIP on lo or
             tunl0, so that no real server ever answers the LAN for it.
             director: forwarding, where replies come back through it, and its
             settings.
3. TABLE     director: services, then their servers; added and edited, not deleted.
             Then the firewall marks: packets change over to a service that is there.
4. BIND      director: the VIP, when the table behind it is ready: no client meets a
             director that has the address but no service. When the VIP moves to
             another director, the old one releases it just before.
5. ANNOUNCE  gratuitous ARP, so that neighbours forget an older owner. In IPv6 the
             kernel does it after BIND, told so in PREPARE; here it is waited for.
6. CUT       director: real servers and services that are no longer wanted. After the
             additions, so a service is never without servers on the way.
7. RELEASE   director: VIPs that nothing needs any more.
8. WITHDRAW  real servers: the route, the VIP, and when it was the last one, ARP and
             the tunnel. director: forwarding, marks and settings as they were.
9. PERSIST   the boot file. Last, so that a host that loses its power on the way comes
             back as it was before the run.

Only what the footprint says is ours is ever deleted. ``ipvsadm -C`` is never used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from cluster.lvs import (
    adoption,
    boot_file,
    change,
    firewall_plan,
    lan,
    settings_plan,
    sysctls,
    table_plan,
)
from cluster.lvs.added import added
from cluster.lvs.change import Change, Phase
from cluster.lvs.host import (
    ABSENT,
    BROUGHT,
    FOU,
    INNER,
    BoundAddress,
    Footprint,
    HostState,
    HostWish,
)
from cluster.lvs.order import order
from cluster.lvs.real_server import inner_vips
from cluster.lvs.settings import DirectorSettings
from cluster.lvs.sysctls import ALONG_WITH_FORWARD, FORWARD, Purpose
from cluster.lvs.table import IPAddress, ServiceAddress
from cluster.lvs.terms import ForwardingMethod


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
    adopts: Collection[ServiceAddress] = (),
) -> Plan:
    """Return what turns *observed* into *desired*, for every observed host.

    *names* maps addresses of real servers to names, for the sentences only. *adopts*
    are services that were made by hand and are ours once the plan has run.
    """
    changes: list[Change] = []
    adds = {}
    ours = {at for footprint in footprints.values() for at in footprint.services}
    vips = adoption.vips_taken(observed.values(), adopts, ours)
    moving = _moving(observed, desired, footprints)
    for host, state in observed.items():
        wish = desired.get(host, HostWish())
        footprint = footprints.get(host, Footprint())
        changes += _beside_the_table(host, state, wish, footprint, moving)
        changes += table_plan.changes(
            host, state.table, wish.table, footprint.services, names or {}
        )
        text = boot_text(host, state, wish)
        changes += boot_file.changes(host, state.boot, text, ours=footprint.boot)
        taken = adoption.taken_over(state, wish, adopts, vips)
        adds[host] = added(state, wish) | taken
    # sorted() is stable: inside a phase the hosts keep their order, and a host the
    # order in which its changes were made above.
    hosts = [*observed]
    return Plan(tuple(sorted(changes, key=lambda step: order(step, hosts))), adds)


def _beside_the_table(
    host: str,
    state: HostState,
    wish: HostWish,
    footprint: Footprint,
    moving: Collection[IPAddress] = (),
) -> Iterable[Change]:
    yield from _addresses(host, state, wish, footprint, moving)
    yield from _routes(host, state, wish, footprint)
    yield from _tunnels(host, state, wish, footprint)
    yield from _gue(host, state, wish, footprint)
    yield from _sysctls(host, state, wish, footprint)
    yield from settings_plan.changes(host, state, wish, footprint)
    yield from firewall_plan.changes(host, state, wish, footprint)


def boot_text(host: str, state: HostState, wish: HostWish) -> str:
    """Return the boot file: the plan for this host as if it had just been booted.

    It depends on the wish and on what the host can do, not on what it has now.
    """
    if wish == HostWish():
        return ""
    booted = replace(
        state,
        addresses=(),
        routes=(),
        tunnels=(),
        gue=None,
        source_nat=(),
        marks=(),
        settings=DirectorSettings(),
        sysctls=tuple((key, "unknown") for key, _value in wish.sysctls),
    )
    outer = tuple(b for b in wish.addresses if b.device not in INNER)
    inner = tuple(b for b in wish.addresses if b.device in INNER)
    without = replace(wish, addresses=inner)
    found = [*_beside_the_table(host, booted, without, Footprint())]
    found += table_plan.from_nothing(host, wish.table)

    def in_order(steps: Iterable[Change]) -> list[Change]:
        return sorted(steps, key=lambda step: order(step, [host]))

    vips = [in_order(_bound(host, booted, HostWish((bound,)), ())) for bound in outer]
    return boot_file.render(host, in_order(found), vips)


def _moving(
    observed: Mapping[str, HostState],
    desired: Mapping[str, HostWish],
    footprints: Mapping[str, Footprint],
) -> set[IPAddress]:
    """Return the VIPs that one host releases because another one shall have them."""

    def wished(host: str) -> set[IPAddress]:
        wish = desired.get(host, HostWish())
        return {b.address for b in wish.addresses if b.device not in INNER}

    return {
        bound.address
        for host, state in observed.items()
        for bound in footprints.get(host, Footprint()).addresses
        if bound.device not in INNER
        and state.holds(bound)
        and bound.address not in wished(host)
        and not _others_serve(bound, state, footprints[host])
        and any(bound.address in wished(other) for other in observed)
    }


def _addresses(
    host: str,
    state: HostState,
    wish: HostWish,
    footprint: Footprint,
    moving: Collection[IPAddress],
) -> Iterable[Change]:
    yield from _bound(host, state, wish, moving)
    wanted = {bound.key for bound in wish.addresses}
    # It may have been bound by hand, and adopted with another prefix than ours has.
    outside = {(b.device, b.address) for b in wish.addresses if b.device not in INNER}
    for bound in footprint.addresses:
        needed = bound.key in wanted or (bound.device, bound.address) in outside
        if needed or _others_serve(bound, state, footprint):
            continue
        if state.holds(bound):
            late = bound.device in INNER or bound.is_local
            phase = Phase.WITHDRAW if late else Phase.RELEASE
            if bound.address in moving:
                phase = Phase.BIND
            yield change.release_address(host, phase, bound)


def _bound(
    host: str, state: HostState, wish: HostWish, moving: Collection[IPAddress]
) -> Iterable[Change]:
    for bound in wish.addresses:
        if state.answers_for(bound):
            continue
        # A local address of FULLNAT takes part before the rule that uses it.
        early = bound.is_local and bound.address not in moving
        phase = Phase.PREPARE if early else Phase.BIND
        if bound.device in INNER:
            yield change.bind_address(host, Phase.PREPARE, bound)
        else:
            # Of a VIP that moves we know who has it; a question would only keep the
            # clients waiting between the two directors.
            if bound.address not in moving:
                yield lan.check_address_free(host, bound)
            yield change.bind_address(host, phase, bound)
            yield lan.announce_address(host, bound)


def _others_serve(bound: BoundAddress, state: HostState, footprint: Footprint) -> bool:
    """Whether a service that is not ours has this VIP, so that it must stay."""
    marked = {
        rule.packets.address for rule in state.marks if rule not in footprint.marks
    }
    return bound.address in marked or any(
        service.at.address == bound.address and service.at not in footprint.services
        for service in state.table.services
    )


def _routes(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    for route in wish.routes:
        if route not in state.routes:
            yield change.add_route(host, route)
    for route in footprint.routes:
        if route not in wish.routes and route in state.routes:
            yield change.delete_route(host, route)


def _tunnels(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    loaded = {there.module for there in state.tunnels}
    for module in dict.fromkeys(t.module for t in wish.tunnels):
        if module not in loaded:
            yield change.load_module(host, module)
    for tunnel in wish.tunnels:
        there = state.tunnel(tunnel.name)
        if there is None and tunnel.local:
            yield change.add_device(host, tunnel)
        if there is None or not there.up:
            yield change.switch_device(host, tunnel.name, up=True)
    if not _foreign_vips(state, footprint):
        yield from _leave_tunnels(host, state, wish, footprint)


def _leave_tunnels(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    wanted = {tunnel.name for tunnel in wish.tunnels}
    kept = [
        there for there in state.tunnels if there.name not in dict(footprint.tunnels)
    ]
    for name, before in footprint.tunnels:
        there = state.tunnel(name)
        if name in wanted or there is None:
            continue
        if there.up:
            yield change.switch_device(host, name, up=False)
        brought = BROUGHT[there.module]
        if before == ABSENT and name not in brought:
            yield change.delete_device(host, there)
        # Unloading takes every device of the module along, also those of others.
        used = any(t.module == there.module for t in wish.tunnels)
        others = [t for t in kept if t.module == there.module and t.name not in brought]
        if before == ABSENT and name == brought[0] and not used and not others:
            yield change.unload_module(host, there.module)


def _gue(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    present = state.gue or ()
    if wish.gue and state.gue is None:
        yield change.load_module(host, FOU)
    for port in wish.gue:
        if port not in present:
            yield change.add_gue(host, port)
    for port in footprint.gue:
        if port not in wish.gue and port in present:
            yield change.delete_gue(host, port)
    others = set(present) - set(footprint.gue)
    if FOU in footprint.modules and state.gue is not None and not {*wish.gue, *others}:
        yield change.unload_module(host, FOU)


def _sysctls(
    host: str, state: HostState, wish: HostWish, footprint: Footprint
) -> Iterable[Change]:
    now, wanted = dict(state.sysctls), dict(wish.sysctls)
    known = {ALONG_WITH_FORWARD: "0"} | now
    known |= {key: sysctls.value(now, key) or "0" for key in wanted}
    missing = {key: value for key, value in wanted.items() if known[key] != value}
    missing.pop(ALONG_WITH_FORWARD, None)
    for purpose, values in _by_purpose(missing):
        if FORWARD in values:
            values[ALONG_WITH_FORWARD] = wanted[ALONG_WITH_FORWARD]
        yield change.set_sysctls(host, purpose, values, known, last=False)
    before = dict(footprint.sysctls)
    leaving = {
        key: value
        for key, value in before.items()
        if key not in wanted and now.get(key) not in (None, value)
    }
    for purpose, values in _by_purpose(leaving):
        if _still_needed(purpose, state, footprint):
            continue
        if FORWARD in values:
            here = known[ALONG_WITH_FORWARD]
            values[ALONG_WITH_FORWARD] = before.get(ALONG_WITH_FORWARD, here)
            # Written first, because the kernel writes the other one after it.
            values = {FORWARD: values[FORWARD]} | values
        yield change.set_sysctls(host, purpose, values, known, last=True)


def _by_purpose(
    values: Mapping[str, str],
) -> Iterable[tuple[Purpose, dict[str, str]]]:
    for purpose in Purpose:
        some = {k: v for k, v in values.items() if sysctls.purpose_of(k) is purpose}
        if some:
            yield purpose, some


def _still_needed(purpose: Purpose, state: HostState, footprint: Footprint) -> bool:
    """Whether somebody else relies on it.

    The rule of the notes: ARP never back to 0 while any other VIP is bound to lo, be
    it ours or one that somebody bound by hand. Alike with forwarding, while there is
    a NAT service that was made by hand.
    """
    if purpose in (Purpose.IPVS, Purpose.ANNOUNCING, Purpose.STRAIGHT):
        return False
    if purpose in (Purpose.SILENCE, Purpose.TUNNEL):
        return bool(_foreign_vips(state, footprint))
    ours = set(footprint.services)
    return any(
        server.method is ForwardingMethod.NAT
        for service in state.table.services
        if service.at not in ours
        for server in service.servers
    )


def _foreign_vips(state: HostState, footprint: Footprint) -> list[BoundAddress]:
    ours = {bound.key for bound in footprint.addresses}
    return [bound for bound in inner_vips(state) if bound.key not in ours]
