"""Compare hosts with the newest revision again and again, and keep what differs.

What is due is decided by rows (``Comparison``); pages read them and ask nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from cluster.control.drift import Drift, drift
from cluster.control.observe import Observation, observe_all
from cluster.control.targets import Connect
from cluster.lvs import differences
from cluster.lvs.change import Change
from cluster.lvs.host import HostState
from cluster.lvs.parts import key, parts
from cluster.lvs.wish import ClusterWish
from cluster.models import Cluster, Comparison, Host, Run
from cluster.models.comparisons import ROLES

# Lines that are kept of one host; more are counted and repaired all the same.
MOST_KEPT = 200


def prepare() -> None:
    """Give every host that can be read a row of its own."""
    new = Host.objects.trusted().filter(comparison=None)
    rows = [Comparison(host=host) for host in new]
    Comparison.objects.bulk_create(rows, ignore_conflicts=True)


def due() -> list[int]:
    """Return the clusters with a host that should be read now."""
    found = Comparison.objects.due().values_list("host__cluster", flat=True)
    return list(found.distinct())


def observe_due(cluster: Cluster, connect: Connect) -> None:
    """Read the hosts of a cluster whose time has come, side by side, and compare."""
    taken = Comparison.objects.claim(cluster)
    if not taken:
        return
    began = timezone.now()
    hosts = list(cluster.hosts.select_related("credential", "cluster"))
    asked = [host for host in hosts if host.pk in taken]
    seen = observe_all(asked, connect, lambda: None)
    keep(cluster, hosts, seen, since=began)
    for row in Comparison.objects.filter(pk__in=taken).select_related("host"):
        row.due_at = row.next_after(failed=row.host.name in seen.troubles)
        row.save(update_fields=["due_at", "misses"])


def compare_after(run: Run) -> None:
    """Compare what the hosts said to a run that has ended: it has just read them."""
    hosts = list(run.cluster.hosts.select_related("cluster"))
    read = [
        h for h in hosts if not h.trouble and h.seen_at and h.seen_at > run.created_at
    ]
    states = {host.name: state for host in read if (state := host.state)}
    keep(run.cluster, hosts, Observation(states))


def keep(
    cluster: Cluster,
    hosts: Sequence[Host],
    seen: Observation,
    *,
    since: datetime | None = None,
) -> Drift:
    """Write down what differs on each host that was seen, and return all of it.

    Nothing is kept when a run has changed the cluster *since* the hosts were read.
    """
    found = drift(cluster, hosts, seen)
    newest = cluster.revisions.values_list("number", flat=True).first()
    read = [h for h in hosts if h.name in seen.states and h.role in ROLES]
    with transaction.atomic():
        if since and _changed(cluster, since):
            return found
        locked = Comparison.objects.select_for_update().order_by("pk")
        rows = {row.host_id: row for row in locked.filter(host__in=read)}
        for host in read:
            row = rows.get(host.pk) or locked.get_or_create(host=host)[0]
            row.host, row.revision = host, newest
            _keep(row, seen.states[host.name], found)
    return found


def _changed(cluster: Cluster, since: datetime) -> bool:
    ended = cluster.runs.filter(finished_at__gt=since, started_at__isnull=False)
    return cluster.runs.in_progress().exists() or ended.exists()


def _keep(row: Comparison, state: HostState, found: Drift) -> None:
    now = timezone.now()
    if row.boot_id and row.boot_id != state.boot_id:
        row.rebooted_at = now
    host, row.boot_id = row.host, state.boot_id
    row.at = host.seen_at or now
    lines = [p for c in found.repairs.get(host.name, ()) for p in parts(c)]
    row.count = len(lines)
    if not lines:
        row.rebooted_at = None
    row.differences = _with_since(
        [_line(part, state, found.wanted) for part in lines[:MOST_KEPT]],
        row.differences,
        now,
    )
    foreign = [{"key": str(at)} for at in found.foreign.get(host.name, ())]
    row.foreign = _with_since(foreign, row.foreign, now)
    row.unknown = [sentence.as_json() for sentence in found.unknown]
    row.save()


def _line(part: Change, state: HostState, wish: ClusterWish | None) -> dict[str, Any]:
    assert wish is not None  # noqa: S101 - without a revision nothing differs
    names = dict(wish.real_servers)
    return {
        "key": key(part),
        "told": differences.told(part, wish, state, names).as_json(),
        "change": part.as_json(),
        "adoptable": differences.adopted_wish(part, wish, state) != wish,
    }


def _with_since(
    new: Iterable[dict[str, Any]], old: list[Any], now: datetime
) -> list[Any]:
    """Return the lines with the moment when each was seen first."""
    known = {line["key"]: line["since"] for line in old}
    return [{**line, "since": known.get(line["key"], now.isoformat())} for line in new]
