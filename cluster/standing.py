"""How hosts and clusters stand against the newest revision, for pages: from rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from django.utils import timezone

from cluster.models import Cluster, Comparison, Host
from cluster.models.comparisons import READING, ROLES, period


class Standing(Enum):
    """Worst first, the values of ``states.STANDINGS``."""

    REBOOTED = "rebooted"
    DIFFERS = "differs"
    NOT_KNOWN = "not_known"
    IN_SYNC = "in_sync"


@dataclass(frozen=True, slots=True)
class HostStanding:
    """*count* lines differ, as it was *at* that moment; None: never compared."""

    host: Host
    standing: Standing
    count: int = 0
    foreign: int = 0
    at: datetime | None = None
    rebooted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClusterStanding:
    hosts: tuple[HostStanding, ...]

    @property
    def standing(self) -> Standing | None:
        """Return the worst of its hosts; None for a cluster that has none."""
        there = {one.standing for one in self.hosts}
        return next((standing for standing in Standing if standing in there), None)

    @property
    def count(self) -> int:
        return sum(one.count for one in self.hosts)

    @property
    def rebooted(self) -> list[HostStanding]:
        return [one for one in self.hosts if one.standing is Standing.REBOOTED]

    @property
    def names(self) -> str:
        """Return the names of the hosts that are as bad as the cluster."""
        worst = self.standing
        return ", ".join(one.host.name for one in self.hosts if one.standing is worst)


def of_host(host: Host, now: datetime | None = None) -> HostStanding | None:
    """Return how a host stands; None when there is nothing to compare it with."""
    row: Comparison | None = getattr(host, "comparison", None)
    if host.role not in ROLES or not host.host_key or row is None:
        return None
    if row.at and row.revision is None:
        return None
    fresh = row.at and row.at > (now or timezone.now()) - (3 * period() + READING)
    if host.trouble or not fresh or row.unknown:
        return HostStanding(host, Standing.NOT_KNOWN, at=row.at)
    if row.count:
        reason = Standing.REBOOTED if row.rebooted_at else Standing.DIFFERS
    else:
        reason = Standing.IN_SYNC
    return HostStanding(
        host, reason, row.count, len(row.foreign), row.at, row.rebooted_at
    )


def of_hosts(hosts: Iterable[Host]) -> ClusterStanding:
    now = timezone.now()
    found = (of_host(host, now) for host in hosts)
    return ClusterStanding(tuple(one for one in found if one))


def of_cluster(cluster: Cluster) -> ClusterStanding:
    hosts = cluster.hosts.select_related("comparison")
    return of_hosts(hosts.defer("facts", "comparison__differences"))
