"""The live page of a cluster: read once a tick, for the page, the stream and polling."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Any

import redis
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import get_format

from cluster import unheard
from cluster.host_condition import Condition, condition_of
from cluster.kept import Kept, KeptRows
from cluster.lvs.drain import State
from cluster.lvs.table import VirtualService
from cluster.lvs.wish import ClusterWish
from cluster.models import Cluster, Drain, Host
from cluster.standing import ClusterStanding, of_hosts
from cluster.views.drain_page import ShownDrain
from cluster.views.kpi import Kpi, kpis
from cluster.views.live_director import Director
from cluster.views.look import Look
from cluster.views.picture import DirectorNode, Picture, picture
from cluster.watch import board, store
from cluster.watch.board import ServiceLine, Sources, WantedRow, service_lines
from cluster.watch.sparks import POINTS, SECONDS, Lines

# A longer table shows real servers only where somebody opens a service.
LONG_TABLE = 60
# Services that can be drawn alone; the table has all of them.
MOST_PICTURES = 8
REGIONS = ("chips", "top", "panel", "table")


@dataclass(frozen=True, slots=True)
class Live:
    """Everything that the fragment shows."""

    cluster: Cluster
    directors: tuple[Director, ...]
    acting: Director | None
    lines: tuple[ServiceLine, ...]
    sparks: tuple[Lines, ...]
    standing: ClusterStanding
    drains: tuple[ShownDrain, ...] = ()
    clients: tuple[Host, ...] = ()

    @property
    def is_long(self) -> bool:
        return sum(1 + len(line.servers) for line in self.lines) > LONG_TABLE

    @property
    def chips(self) -> list[tuple[str, str]]:
        """States of real servers and how many have them, worst first.

        What is usual is only told when there is nothing else: ``ACTIVE 4/4``.
        """
        states = [server.state for line in self.lines for server in line.servers]
        states += [line.state for line in self.lines if not line.servers]
        told = [
            (state, str(states.count(state)))
            for state in board.WORST_FIRST
            if state in states and state != board.LISTED
        ]
        if told or not states:
            return told
        return [(board.LISTED, f"{len(states)}/{len(states)}")]

    @property
    def drain_states(self) -> list[tuple[str, str]]:
        """States of drains and how many have them, those that wait for a person first."""
        found = Counter(drain.state for drain in self.drains)
        waits = (State.OVERDUE, State.PAUSED)
        ordered = sorted(found, key=lambda state: state not in waits)
        return [(state.value, str(found[state])) for state in ordered]

    @property
    def unheard(self) -> int:
        """How many real servers have a service that nobody listens to."""
        lines = (server for line in self.lines for server in line.servers)
        return len({server.address for server in lines if server.unheard})

    @property
    def quiet(self) -> tuple[object, ...] | None:
        """All that is said above the figures while there is nothing to tell a person;
        None: there is, and it may be another sentence with every tick."""
        notices = (self.silent, self.troubled, self.troubled_clients, self.complaining)
        if any((*notices, self.fought_over, self.drains)):
            return None
        return (*self.chips, self.standing)

    @property
    def loaded(self) -> list[Director]:
        """Directors whose table is known; without ip_vs a kernel has none."""
        samples = ((d, d.sample) for d in self.directors)
        return [director for director, sample in samples if sample and sample["loaded"]]

    @property
    def silent(self) -> list[Director]:
        return [director for director in self.directors if director.silent]

    @property
    def troubled(self) -> list[Director]:
        return [director for director in self.directors if director.host.trouble]

    @property
    def troubled_clients(self) -> list[tuple[Host, Condition]]:
        """Clients to test from that cannot be used; no service suffers from it."""
        troubled = (host for host in self.clients if host.trouble)
        return [(host, condition_of(host)) for host in troubled]

    @property
    def complaining(self) -> list[Director]:
        samples = ((d, d.sample) for d in self.directors)
        return [d for d, s in samples if s and s["error"] and not d.host.trouble]

    @property
    def fought_over(self) -> list[tuple[str, str]]:
        """VIPs that more than one director holds, with the names of these."""
        held: dict[str, list[str]] = {}
        for director in self.directors:
            for vip in director.vips:
                held.setdefault(vip, []).append(director.host.name)
        return [(vip, ", ".join(names)) for vip, names in held.items() if names[1:]]

    @property
    def worst(self) -> str:
        """One state for the whole cluster, for the overview."""
        troubles = [d.state for d in self.troubled]
        if troubles:
            return troubles[0]
        if not self.directors or self.silent:
            return board.UNKNOWN
        return self.chips[0][0] if self.chips else "EMPTY"

    @property
    def totals(self) -> Mapping[str, float | None]:
        """Sums over all directors that are known now."""
        samples = [d.sample for d in self.directors if d.sample]
        carried = any(s["active"] or s["inactive"] for s in samples)
        if self.acting and self.acting.sample is None and not carried:
            samples = []  # what a standby does not have says nothing about the other
        rates = [sample["rates"] for sample in samples if sample["rates"]]
        # One that carries something has begun to count: the others are not all there is.
        if any(s["active"] or s["inactive"] for s in samples if not s["rates"]):
            rates = []
        return {
            "conns": sum(r[0] for r in rates) if rates else None,
            "active": sum(s["active"] for s in samples) if samples else None,
            "inactive": sum(s["inactive"] for s in samples) if samples else None,
            "in_bytes": sum(r[3] for r in rates) if rates else None,
            "out_bytes": sum(r[4] for r in rates) if rates else None,
        }

    @property
    def is_blind(self) -> bool:
        """Replies pass the director by, everywhere: it has nothing to count.

        What is wanted and not in the kernel carries nothing yet.
        """
        there = (line for line in self.lines if line.numbers.active is not None)
        carried = [line.numbers.blind for line in there if line.servers]
        return bool(carried) and all(carried)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted and what was applied: the slow half, which seldom changes."""

    rows: tuple[WantedRow, ...]
    applied: Mapping[str, VirtualService]
    vips: frozenset[str]


def read_wanted(cluster: Cluster) -> Wanted:
    services = cluster.services.prefetch_related("servers__host")
    revision = cluster.revisions.first()
    applied = _applied(json.dumps(_of_services(revision.wish))) if revision else {}
    rows = tuple(
        sorted(
            (WantedRow.of(row, applied) for row in services),
            key=lambda wanted: wanted.value.at.sort_key,
        )
    )
    vips = {vip for wanted in rows for vip in wanted.row.vips}
    vips |= {str(vip) for service in applied.values() for vip in service.vips}
    return Wanted(rows, applied, frozenset(vips))


def _of_services(wish: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a revision that is about services, and nothing else."""
    return wish | {"vips": [], "real_servers": [], "settings": {}}


@lru_cache(maxsize=32)
def _applied(wish: str) -> Mapping[str, VirtualService]:
    """Read the services of a revision, once: it does not change any more."""
    table = ClusterWish.from_json(json.loads(wish)).table
    return {str(service.at): service for service in table.services}


wanted = Kept(read_wanted)
hosts_of = KeptRows(
    lambda cluster: (
        Host.objects.filter(cluster=cluster)
        .select_related("comparison")
        .defer("comparison__differences")
    )
)
drains_of = KeptRows(lambda cluster: Drain.objects.open().filter(cluster=cluster))


def load(cluster: Cluster, now: float | None = None) -> Live:
    """Read one cluster: three queries, whatever its size, and the live cache."""
    now = time.time() if now is None else now
    hosts = hosts_of(cluster.pk)
    wish = wanted(cluster)
    pks = [host.pk for host in hosts if host.is_director]
    samples, sparks = _cached(pks, now)
    directors = tuple(
        _director(host, samples.get(host.pk), now, wish.vips)
        for host in hosts
        if host.is_director
    )
    acting = _acting(cluster, directors)
    ours = acting.host.left_behind.services if acting else ()
    own = sparks.get(acting.host.pk) if acting else None
    sources = Sources(
        rows=wish.rows,
        applied=wish.applied,
        ours=frozenset(str(at) for at in ours),
        sample=acting.sample if acting else None,
        sparks=own.drawn if own else {},
        names={str(ip): host.name for host in hosts for ip in host.addresses},
        unheard=unheard.by_server(hosts),
    )
    lines = tuple(service_lines(sources))
    drains = tuple(ShownDrain.of(row) for row in drains_of(cluster.pk))
    standing = of_hosts(hosts)
    clients = tuple(host for host in hosts if host.role == Host.Role.PROBE)
    shown = tuple(sparks.values())
    return Live(cluster, directors, acting, lines, shown, standing, drains, clients)


def _cached(pks: Sequence[int], now: float) -> store.Seen:
    """Return samples and lines; nothing when the live cache is away."""
    try:
        samples, lines = store.seen(pks)
    except redis.RedisError:
        return store.Seen({}, {})
    # Of a director that fell silent, nothing of the last five minutes is left.
    first = now // SECONDS - POINTS
    return store.Seen(
        samples, {pk: one for pk, one in lines.items() if one.slot > first}
    )


def _director(
    host: Host, sample: Mapping[str, Any] | None, now: float, vips: frozenset[str]
) -> Director:
    age = now - sample["at"] if sample else None
    fresh = sample if age is not None and age <= store.FRESH else None
    held = sorted(vips & set(fresh["addresses"]), key=_by_number) if fresh else ()
    return Director(host, fresh, age, tuple(held))


def _by_number(address: str) -> tuple[int, int]:
    value = ip_address(address)
    return value.version, int(value)


def _acting(cluster: Cluster, directors: Sequence[Director]) -> Director | None:
    """Return the director whose table is shown: the chosen one, or who holds VIPs."""
    for director in directors:
        if director.host.pk == cluster.director_id:
            return director
    holding = [director for director in directors if director.vips]
    return next(iter([*holding, *directors]), None)


# -- what the templates get -----------------------------------------------------------


def context_of(live: Live, look: Look) -> dict[str, Any]:
    return {
        "live": live,
        "cluster": live.cluster,
        "look": look,
        "kpis": figures_of(live),
        "picture": picture_of(live, look),
        # Asked for by HTML that seldom is rendered.
        "picture_links": partial(_picture_links, live, look),
        "all_href": partial(_all_href, look),
        "folded": live.is_long,
        "connections_url": reverse("cluster:connections", args=[live.cluster.slug]),
        "decimal": get_format("DECIMAL_SEPARATOR"),
        "servers_url": reverse("cluster:server", args=[live.cluster.slug, "-"])[:-2],
    }


def _all_href(look: Look) -> str:
    return look.drawing("").query or "?"


def _picture_links(live: Live, look: Look) -> list[tuple[str, str, bool]]:
    return [
        (line.title, look.drawing(line.key).query, line.key == look.picture)
        for line in live.lines[:MOST_PICTURES]
    ]


def figures_of(live: Live) -> list[Kpi]:
    return kpis(live.totals, live.sparks, live.is_blind)


def picture_of(live: Live, look: Look) -> Picture | None:
    lines = [line for line in live.lines if line.key == look.picture] or live.lines
    nodes = [
        DirectorNode(d.host.name, d.host.address, d.state, d.vips)
        for d in live.directors
    ]
    acting = live.acting
    # Nothing is known to flow without a fresh sample, nor to a director without a VIP.
    place = live.directors.index(acting) if acting and acting.vips else None
    return picture(nodes, place, lines)


def region(name: str, context: Mapping[str, Any]) -> str:
    return render_to_string(f"cluster/_live_{name}.html", dict(context))


def regions(live: Live, look: Look) -> dict[str, str]:
    """Render the parts of the page that change: ``{"#live-chips": "<div ...", ...}``."""
    context = context_of(live, look)
    return {f"#live-{name}": region(name, context) for name in REGIONS}
