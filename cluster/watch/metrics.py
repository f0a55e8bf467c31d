"""What Prometheus gets: everything from rows and the live cache, nothing from a host.

Names follow ``node_ipvs_*`` of the node_exporter where both tell the same. Counters are
the kernel's own, so that one that starts again is seen as a reset by ``rate()``; what is
not known, or cannot be seen by a director, is left out and never 0.
See https://prometheus.io/docs/practices/naming/ and docs/metrics.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import redis
from django.db.models import Count
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from cluster.host_condition import Condition, condition_of
from cluster.lvs.kernel_table import BLIND
from cluster.lvs.rules import split_endpoint
from cluster.models import Drain, Host, Run, Vip
from cluster.models.drains import FINAL as DRAINS_OVER
from cluster.watch import store

SCOPE = ("cluster", "director")
SERVICE = (*SCOPE, "local_address", "local_port", "local_mark", "proto")
BACKEND = (*SERVICE, "remote_address", "remote_port", "forward")
# In the order in which a sample has them; the last column: replies, which DR and TUN hide.
COUNTERS = (
    ("connections", "Connections scheduled", False),
    ("incoming_packets", "Packets from clients", False),
    ("outgoing_packets", "Packets to clients, where they pass the director", True),
    ("incoming_bytes", "Bytes from clients", False),
    ("outgoing_bytes", "Bytes to clients, where they pass the director", True),
)
BACKEND_GAUGES = (
    ("connections_active", "active", "Active connections of a real server"),
    ("connections_inactive", "inactive", "Inactive connections of a real server"),
    ("weight", "weight", "Weight of a real server in the kernel"),
)
_UNREACHABLE = (
    Condition.KEY_CHANGED,
    Condition.UNREACHABLE,
    Condition.LOGIN_REFUSED,
    Condition.NO_ANSWER,
    Condition.KEY_NOT_ACCEPTED,
)
Labels = tuple[str, ...]


def exposition(accept: str) -> tuple[bytes, str]:
    """Return the text for a scrape and its content type, as *accept* asks for it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Everything())
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class Everything(Collector):
    def collect(self) -> Iterator[Metric]:
        hosts = list(
            Host.objects.select_related("cluster", "comparison").defer(
                "comparison__differences"
            )
        )
        directors = [host for host in hosts if host.is_director]
        now = time.time()
        samples = _samples(directors)
        fresh = [
            ((host.cluster.slug, host.name), sample)
            for host in directors
            if (sample := samples.get(host.pk)) and now - sample["at"] <= store.FRESH
        ]
        yield from _of_directors(directors, samples, now)
        yield from _of_hosts(hosts)
        yield from _of_work()
        yield from _totals(fresh)
        yield from _of_services(fresh)
        yield from _of_backends(fresh)


def _samples(directors: Sequence[Host]) -> dict[int, dict[str, Any]]:
    try:
        return store.latest([host.pk for host in directors])
    except redis.RedisError:
        return {}


# -- hosts and work -------------------------------------------------------------------


def _of_directors(
    directors: Sequence[Host], samples: Mapping[int, Mapping[str, Any]], now: float
) -> Iterator[Metric]:
    up = _gauge("director_up", "1 while numbers of the director are fresh", SCOPE)
    age = _gauge("sample_age_seconds", "Age of the newest numbers", SCOPE)
    chosen = _gauge("director_chosen", "1 for the director that shall act", SCOPE)
    active = _gauge("director_active", "1 when it holds a VIP of its cluster", SCOPE)
    vips: dict[int, set[str]] = {}
    for cluster, address in Vip.objects.values_list("cluster_id", "address"):
        vips.setdefault(cluster, set()).add(address)
    for host in directors:
        labels = (host.cluster.slug, host.name)
        sample = samples.get(host.pk)
        is_fresh = sample is not None and now - sample["at"] <= store.FRESH
        up.add_metric(labels, is_fresh)
        chosen.add_metric(labels, host.cluster.director_id == host.pk)
        if sample is not None:
            age.add_metric(labels, max(0.0, now - sample["at"]))
        wanted = vips.get(host.cluster_id)
        # Where there is no VIP, no director is active, and none should be.
        if sample is not None and is_fresh and wanted:
            active.add_metric(labels, bool(wanted & set(sample["addresses"])))
    yield from (up, age, chosen, active)


def _of_hosts(hosts: Sequence[Host]) -> Iterator[Metric]:
    names = ("cluster", "host", "role")
    reachable = _gauge("host_reachable", "1 when the host lets us in", names)
    differs = _gauge(
        "host_drift_lines", "Lines that differ from what was applied", names
    )
    compared = _gauge(
        "host_compared_timestamp_seconds", "When the host was last compared", names
    )
    for host in hosts:
        labels = (host.cluster.slug, host.name, host.role)
        reachable.add_metric(labels, condition_of(host) not in _UNREACHABLE)
        row = getattr(host, "comparison", None)
        if row is not None and row.at is not None and row.revision is not None:
            differs.add_metric(labels, row.count)
            compared.add_metric(labels, row.at.timestamp())
    yield from (reachable, differs, compared)


def _of_work() -> Iterator[Metric]:
    names = ("cluster", "state")
    runs = _gauge("runs", "Runs by their state, also those that are over", names)
    by_state = Run.objects.order_by().values_list("cluster__slug", "state")
    for slug, state, number in by_state.annotate(Count("pk")):
        runs.add_metric((slug, state), number)
    drains = _gauge("drains", "Drains that are not over, by their state", names)
    open_ones = Drain.objects.order_by().exclude(state__in=DRAINS_OVER)
    counted = open_ones.values_list("cluster__slug", "state").annotate(Count("pk"))
    for slug, state, number in counted:
        drains.add_metric((slug, state), number)
    yield from (runs, drains)


# -- the kernel's table ---------------------------------------------------------------

Fresh = Sequence[tuple[Labels, Mapping[str, Any]]]


def _totals(fresh: Fresh) -> Iterator[Metric]:
    def rows() -> Iterator[tuple[Labels, Sequence[int] | None, bool]]:
        for labels, sample in fresh:
            servers = [s for one in sample["services"] for s in one["servers"]]
            yield labels, sample["totals"], _blind(servers)

    return _counters("ipvs", SCOPE, list(rows()))


def _of_services(fresh: Fresh) -> Iterator[Metric]:
    rows = [
        (labels + _place(one["key"]), one["counters"], _blind(one["servers"]))
        for labels, sample in fresh
        for one in sample["services"]
    ]
    return _counters("ipvs_service", SERVICE, rows)


def _of_backends(fresh: Fresh) -> Iterator[Metric]:
    rows = [
        (
            (*labels, *_place(one["key"]), *_endpoint(server["at"]), server["forward"]),
            server,
        )
        for labels, sample in fresh
        for one in sample["services"]
        for server in one["servers"]
    ]
    counted = [(labels, s["counters"], _blind([s])) for labels, s in rows]
    yield from _counters("ipvs_backend", BACKEND, counted)
    for name, value, told in BACKEND_GAUGES:
        gauge = _gauge(f"ipvs_backend_{name}", told, BACKEND)
        for labels, server in rows:
            gauge.add_metric(labels, server[value])
        yield gauge


def _counters(
    prefix: str,
    names: Sequence[str],
    rows: Sequence[tuple[Labels, Sequence[int] | None, bool]],
) -> Iterator[Metric]:
    for number, (name, told, of_replies) in enumerate(COUNTERS):
        full = f"piranha_{prefix}_{name}"
        family = CounterMetricFamily(full, told, labels=names)
        for labels, counters, blind in rows:
            if counters is not None and not (blind and of_replies):
                family.add_metric(labels, counters[number])
        yield family


def _blind(servers: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether no reply passes the director, so that it counts none."""
    return bool(servers) and all(one["forward"] in BLIND for one in servers)


@lru_cache(maxsize=16384)
def _place(key: str) -> Labels:
    """Return address, port, mark and protocol of ``TCP 10.0.1.31:80`` or ``FWM 7``."""
    protocol, _, place = key.partition(" ")
    if protocol == "FWM":
        return "", "", place, protocol
    return (*_endpoint(place), "", protocol)


@lru_cache(maxsize=16384)
def _endpoint(text: str) -> Labels:
    address, port = split_endpoint(text)
    return address, str(port)


def _gauge(name: str, told: str, labels: Sequence[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"piranha_{name}", told, labels=labels)
