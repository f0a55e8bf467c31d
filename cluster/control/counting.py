"""Who is left on a real server that drains: from the live samples, or from the host.

What cannot be had is None, "not known", and the sentence says why; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis

from cluster.control.observe import ask
from cluster.control.targets import Connect
from cluster.lvs import facts
from cluster.lvs.counters import Connections
from cluster.lvs.drain import Left
from cluster.lvs.frame import PERIOD
from cluster.lvs.table import ServiceAddress, Table, VirtualService
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Drain, Host
from cluster.remote.shell import RemoteError
from cluster.watch import store

# As on the live page: an older sample says nothing about now.
FRESH = 3 * PERIOD + 0.5


@dataclass(frozen=True, slots=True)
class Count:
    """*left* per service of the drain; *why* says what is not known.

    *keep_coming* are services whose clients come although the weight is 0.
    """

    left: tuple[Left, ...]
    why: Sentence | None = None
    keep_coming: tuple[ServiceAddress, ...] = ()

    def as_json(self, now: datetime, most: int) -> dict[str, Any]:
        """Return what pages show; *most* is the largest number so far."""
        known = [one for one in self.left if one.active is not None]
        total = sum((one.active or 0) + (one.templates or 0) for one in known)
        return {
            "at": now.isoformat(),
            "left": [[str(one.at), one.active, one.templates] for one in self.left],
            "known": len(known) == len(self.left),
            "total": total,
            "most": max(most, total),
            "keep_coming": [str(at) for at in self.keep_coming],
        }


def count(drain: Drain, applied: Table, now: datetime, connect: Connect) -> Count:
    """Count what is left in every service that is still applied."""
    director = drain.cluster.director
    kept = [s for s in drain.table.services if s.at in applied.by_address]
    if director is None:
        why = _("The cluster has no active director that could be asked.")
        return Count(tuple(Left(s.at, None, None) for s in kept), why)
    lasting = {s.at for s in kept if applied.by_address[s.at].persistence}
    if not lasting:
        sample = _fresh(director, drain, now)
        if sample is not None:
            return _of(kept, _listed(sample), director, lasting, expire=True)
    try:
        with connect(director) as shell:
            found = ask(shell, facts.CONNECTIONS)
            expire = not lasting or ask(shell, facts.TEMPLATES_EXPIRE) == "1"
    except RemoteError as error:
        why = _("Not known who is left: {said}", said=error)
        return Count(tuple(Left(s.at, None, None) for s in kept), why)
    texts = {(str(at), place): each for (at, place), each in found.items()}
    return _of(kept, texts, director, lasting, expire=expire)


def _fresh(director: Host, drain: Drain, now: datetime) -> Mapping[str, Any] | None:
    """Return the newest sample, if it is from after the weight became 0."""
    try:
        sample = store.latest([director.pk]).get(director.pk)
    except redis.RedisError:
        return None
    if sample is None or not sample["loaded"]:
        return None
    at = float(sample["at"])
    fresh = now.timestamp() - at <= FRESH and at > drain.since.timestamp()
    return sample if fresh else None


def _listed(sample: Mapping[str, Any]) -> dict[tuple[str, str], Connections]:
    """Return the sample as a listing; templates are not in it."""
    return {
        (service["key"], server["at"]): Connections(
            server["weight"], 0, server["active"], server["inactive"]
        )
        for service in sample["services"]
        for server in service["servers"]
    }


def _of(
    kept: list[VirtualService],
    found: Mapping[tuple[str, str], Connections],
    director: Host,
    lasting: set[ServiceAddress],
    *,
    expire: bool,
) -> Count:
    left, why = [], None
    for service in kept:
        rows = [found.get((str(service.at), s.endpoint)) for s in service.servers]
        there = [row for row in rows if row is not None]
        wrong = [row.weight for row in there if row.weight]
        if wrong or len(there) < len(rows):
            why = _unlike(director, service.at, wrong)
            left.append(Left(service.at, None, None))
            continue
        holds = service.at in lasting and not expire
        templates = sum(row.templates for row in there) if holds else 0
        left.append(Left(service.at, sum(row.active for row in there), templates))
    coming = () if expire else tuple(s.at for s in kept if s.at in lasting)
    return Count(tuple(left), why, coming)


def _unlike(director: Host, at: ServiceAddress, weights: list[int]) -> Sentence:
    if weights:
        return _(
            "Not known who is left: the kernel of {director} has weight {weight} for"
            " it in {at}, not 0. Compare the host with what was applied.",
            director=director,
            weight=weights[0],
            at=at,
        )
    return _(
        "Not known who is left: the kernel of {director} does not have it in {at}.",
        director=director,
        at=at,
    )
