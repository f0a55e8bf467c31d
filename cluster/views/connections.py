"""The connections of a director: asked while somebody looks, read from the live cache."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import redis
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cluster.forms.connections import ConnectionFilter
from cluster.lvs.connections import SECONDS, Kind
from cluster.models import Cluster, Host, VirtualService
from cluster.watch import questions, store
from cluster.watch.questions import Question

# A worker answers within two looks and one reading; then something is wrong.
LATE = 15.0
# An answer older than this is no answer about now.
OLD = 30.0
FIELDS = ("client", "service", "server", "state", "director", "kind")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the fragment shows. *found* is an ``Answer`` as JSON, *age* in seconds.

    *total* is how many connections the kernel has, None when that is not known.
    """

    waited: float
    refused: bool = False
    away: bool = False
    age: float | None = None
    trouble: Mapping[str, Any] | None = None
    found: Mapping[str, Any] | None = None
    total: int | None = None

    def matching(self, kind: Kind) -> int:
        """Return how many entries of the kind fit, of those that were read."""
        return int(self.found[kind.value]) if self.found else 0

    @property
    def is_late(self) -> bool:
        return self.age is None and self.waited > LATE

    @property
    def is_old(self) -> bool:
        return self.age is not None and self.age > OLD


@require_safe
@never_cache
def connections(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the form, and ask for the first time."""
    return render(request, "cluster/connections.html", context_of(request, slug))


@require_safe
@never_cache
def connections_now(request: HttpRequest, slug: str) -> HttpResponse:
    """Say that somebody still looks, and return what there is."""
    return render(request, "cluster/_connections.html", context_of(request, slug))


def context_of(request: HttpRequest, slug: str) -> dict[str, Any]:
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    hosts = list(cluster.hosts.all())
    directors = [host for host in hosts if host.is_director]
    form = ConnectionFilter(request.GET, [host.name for host in directors])
    director = _director(cluster, directors, request.GET.get("director", ""))
    context = {
        "cluster": cluster,
        "form": form,
        "director": director,
        "directors": directors,
        "services": [at for row in cluster.services.all() for at in _places(row)],
        "servers": sorted({str(a) for h in hosts for a in h.addresses}),
        "names": {str(a): host.name for host in hosts for a in host.addresses},
        "is_templates": request.GET.get("kind") == Kind.TEMPLATES.value,
        "limit": SECONDS,
    }
    if director is None or not form.is_valid():
        return context
    now = time.time()
    asked = _moment(request.GET.get("asked", ""), now)
    shown = ask(Question(director.pk, form.wanted), now - asked, now)
    kept = [(name, request.GET[name]) for name in FIELDS if request.GET.get(name)]
    poll = reverse("cluster:connections_now", args=[slug])
    return context | {
        "shown": shown,
        "matching": shown.matching(form.wanted.kind),
        "poll_url": f"{poll}?{urlencode([*kept, ('asked', f'{asked:.0f}')])}",
    }


def ask(question: Question, waited: float, now: float) -> Shown:
    try:
        if not questions.ask(question):
            return Shown(waited, refused=True)
        answer = questions.answer(question)
        sample = store.latest([question.director]).get(question.director)
    except redis.RedisError:
        return Shown(waited, away=True)
    if answer is None:
        return Shown(waited)
    return Shown(
        waited,
        age=max(0.0, now - answer["at"]),
        trouble=answer.get("trouble"),
        found=answer.get("found"),
        total=sample["active"] + sample["inactive"] if sample else None,
    )


def _director(cluster: Cluster, directors: Sequence[Host], name: str) -> Host | None:
    """Return the director of this name, else the active one, else the first."""
    named = [host for host in directors if host.name == name]
    active = [host for host in directors if host.pk == cluster.director_id]
    return next(iter([*named, *active, *directors]), None)


def _places(row: VirtualService) -> list[str]:
    """Return what connections to a service show: its VIPs and ports, never a mark."""
    if row.address:
        return [str(row.at)]
    return [str(one) for one in row.marked if one.first == one.last]


def _moment(text: str, now: float) -> float:
    """Return when the page began to ask; now where that is not told."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 else now
