"""Drift: what the hosts have against what was applied last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster.control.observe import Observation
from cluster.lvs import wish
from cluster.lvs.change import Change
from cluster.lvs.director import NoNetwork
from cluster.lvs.plan import plan
from cluster.lvs.table import IPAddress, ServiceAddress
from cluster.lvs.wish import ClusterWish
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Cluster, Host


@dataclass(slots=True)
class Drift:
    """Per host the changes that would repair it, and services that are not ours.

    *wanted* is the newest revision. *unknown* says why nothing can be said about all
    of it.
    """

    repairs: dict[str, list[Change]] = field(default_factory=dict)
    foreign: dict[str, list[ServiceAddress]] = field(default_factory=dict)
    unknown: list[Sentence] = field(default_factory=list)
    wanted: ClusterWish | None = None
    names: dict[IPAddress, str] = field(default_factory=dict)


def drift(cluster: Cluster, hosts: Sequence[Host], seen: Observation) -> Drift:
    """Compare every host that answered with the newest revision.

    It is the plan that would lead back to the revision: no plan, no drift.
    """
    found = Drift()
    for host in hosts:
        if host.name in seen.states and host.is_director:
            table = seen.states[host.name].table
            ours = set(host.left_behind.services)
            found.foreign[host.name] = [
                s.at for s in table.services if s.at not in ours
            ]
    applied = cluster.applied()
    if applied is None:
        found.unknown.append(_("Nothing was applied yet."))
        return found
    found.wanted = applied
    found.names = dict(applied.real_servers)
    known = {h.name: state for h in hosts if (state := h.state)} | seen.states
    if applied.vips and applied.director not in known:
        text = _("The director {name} was never read.", name=applied.director)
        found.unknown.append(text)
        return found
    try:
        wishes = wish.host_wishes(applied, known)
    except NoNetwork as error:
        found.unknown.append(error.sentence)
        return found
    footprints = {host.name: host.left_behind for host in hosts}
    for change in plan(seen.states, wishes, footprints, found.names).changes:
        if change.writes:
            found.repairs.setdefault(change.host, []).append(change)
    return found
