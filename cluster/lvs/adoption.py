"""Take over what somebody built by hand: which of it is ours from then on.

Nothing is sent for it. What a person typed for an adopted service is treated as if a run
of ours had put it there, so it goes when the service goes:

- the service, its VIP and the route where they carry a label or are as ours would be. An
  address without a label ``eth0:1`` stays when the service goes: no command of ours can
  take it off, because it cannot be told from the host's own.
- ARP silence goes back to 0, the kernel's default, with the last VIP on ``lo``.
- The rules that give packets the mark of a service.
- Every other sysctl and device counts as found: the value before is not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cluster.lvs import marks, sysctls
from cluster.lvs.host import INNER, BoundAddress, Footprint, HostState, HostWish
from cluster.lvs.sysctls import Purpose
from cluster.lvs.table import IPAddress, ServiceAddress

Services = Collection[ServiceAddress]


def vips_taken(
    states: Iterable[HostState], adopts: Services, ours: Services
) -> frozenset[IPAddress]:
    """Return the VIPs that are ours from now on: no other service by hand has them."""
    mine = {*adopts, *ours}
    others, found = set[IPAddress](), set[IPAddress]()
    for state in states:
        for service in state.table.services:
            if service.at not in mine:
                others.update(vips_of(service.at, state))
            elif service.at in adopts:
                found.update(vips_of(service.at, state))
    return frozenset(found - others)


def vips_of(at: ServiceAddress, state: HostState) -> list[IPAddress]:
    """Return the addresses that clients of a service ask, by the host's own rules."""
    if at.address:
        return [at.address]
    marked = marks.packets_of(at, state.marks)
    return list(dict.fromkeys(packets.address for packets in marked))


def taken_over(
    state: HostState, wish: HostWish, adopts: Services, vips: Collection[IPAddress]
) -> Footprint:
    """Return what of *state* is ours once the services are adopted."""
    addresses = tuple(
        bound
        for bound in state.addresses
        if bound.address in vips and is_labelled(bound)
    )
    now = dict(state.sysctls)
    silent = any(bound.device in INNER for bound in addresses)
    quiet = tuple(
        (key, "0")
        for key, value in wish.sysctls
        if silent and sysctls.purpose_of(key) is Purpose.SILENCE
        if now.get(key) == value
    )
    names = {f"{vip}/{vip.max_prefixlen}" for vip in vips}
    return Footprint(
        addresses=addresses,
        routes=tuple(
            r for r in wish.routes if r in state.routes and r.destination in names
        ),
        sysctls=quiet,
        services=tuple(at for at in adopts if at in state.table.by_address),
        source_nat=tuple(rule for rule in state.source_nat if rule.at in adopts),
        marks=tuple(
            rule
            for rule in state.marks
            if any((rule.mark, rule.family) == (at.mark, at.family) for at in adopts)
        ),
    )


def is_labelled(bound: BoundAddress) -> bool:
    """Whether the address has a label of its own, ``eth0:1``, and can be taken off."""
    device, colon, number = bound.label.rpartition(":")
    return bool(colon) and device == bound.device and number.isdigit()


def label_number(bound: BoundAddress) -> int | None:
    """Return 1 for ``eth0:1``, None for an address without a label."""
    return int(bound.label.rpartition(":")[2]) if is_labelled(bound) else None
