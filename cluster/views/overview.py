"""Every cluster at a glance, worst first."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cluster.kept import draft_edits
from cluster.models import Cluster
from cluster.states import state_of
from cluster.views import live_page
from cluster.views.kpi import spark
from cluster.views.live_page import Live

# A fault before what is odd, before what is normal.
_TONES = ("bad", "warn", "drift", "brand", "mute", "up")


@dataclass(frozen=True, slots=True)
class Card:
    """*waiting* is how many services have changes that are not applied."""

    live: Live
    waiting: int

    @property
    def rank(self) -> tuple[int, str]:
        states = (self.live.worst, self.live.standing.standing)
        tones = [state_of(state).tone for state in states if state]
        return (min(map(_TONES.index, tones)), self.live.cluster.name)

    @property
    def spark(self) -> tuple[float, ...]:
        return spark(self.live.sparks, "conns")


@require_safe
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    return render(request, "cluster/overview.html", {"cards": cards()})


@require_safe
@never_cache
def overview_live(request: HttpRequest) -> HttpResponse:
    """Answer with the cards alone, for a page that asks again and again."""
    return render(request, "cluster/_overview.html", {"cards": cards()})


def cards() -> list[Card]:
    clusters = Cluster.objects.select_related("director")
    found = [Card(live_page.load(c), len(draft_edits(c))) for c in clusters]
    return sorted(found, key=lambda card: card.rank)
