"""Why a plan needs a second look, from what its hosts said and their live counters."""

from __future__ import annotations

import time
from collections.abc import Sequence

import redis

from cluster.control.observe import Observation
from cluster.lvs import safety
from cluster.lvs.host import INNER, HostState
from cluster.lvs.table import IPAddress, Table
from cluster.lvs.wish import ClusterWish
from cluster.lvs.words import Sentence
from cluster.models import Host
from cluster.watch import store


def cautions(
    wanted: ClusterWish, hosts: Sequence[Host], seen: Observation
) -> list[Sentence]:
    found = safety.split_brain(_vips(wanted), _other_directors(wanted, hosts, seen))
    for host in hosts:
        state, left = seen.states.get(host.name), host.left_behind
        if wanted.vips and host.name != wanted.director and left.services:
            found.append(safety.moved(host.name, wanted.director))
        elif state and host.is_director:
            desired = wanted.table if host.name == wanted.director else Table()
            director = safety.Director(state.table, left.services, active(host))
            found += safety.cautions(director, desired)
    found += safety.last_vip(_bound(hosts, seen), _vips(wanted))
    if seen.troubles:
        found.append(safety.unreachable(sorted(seen.troubles)))
    return found


def _vips(wanted: ClusterWish) -> list[IPAddress]:
    return [vip.address for vip in wanted.vips]


def _bound(hosts: Sequence[Host], seen: Observation) -> list[IPAddress]:
    """Return the VIPs of ours that directors have now."""
    return [
        bound.address
        for host in hosts
        if host.is_director and host.name in seen.states
        for bound in host.left_behind.addresses
        if bound.device not in INNER and seen.states[host.name].holds(bound)
    ]


def _other_directors(
    wanted: ClusterWish, hosts: Sequence[Host], seen: Observation
) -> dict[str, HostState]:
    """Return what the other directors have that no run of ours put there.

    A director that takes no part is read all the time anyway: what it said last counts.
    """
    if not hosts:
        return {}
    found = {}
    for host in hosts[0].cluster.hosts.directors().exclude(name=wanted.director):
        state = seen.states.get(host.name) or host.state
        if state:
            ours = {bound.key for bound in host.left_behind.addresses}
            kept = tuple(b for b in state.addresses if b.key not in ours)
            found[host.name] = HostState(addresses=kept)
    return found


def active(director: Host) -> safety.Active | None:
    """Return the active connections now, None when its counters are not fresh."""
    try:
        sample = store.latest([director.pk]).get(director.pk)
    except redis.RedisError:
        return None
    if sample is None or time.time() - sample["at"] > store.FRESH:
        return None
    return {
        service["key"]: {
            server["at"]: server["active"] for server in service["servers"]
        }
        for service in sample["services"]
    }
