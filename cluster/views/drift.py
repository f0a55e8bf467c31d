"""What hosts have against the newest revision, line by line: repair it or adopt it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from cluster import adopting, errands, standing, tasks
from cluster.adopting import CannotAdopt
from cluster.audit import Actor
from cluster.errands import Errand, Progress
from cluster.lvs import words
from cluster.lvs.change import Change
from cluster.lvs.edits import joined
from cluster.lvs.parts import Scope
from cluster.lvs.words import Sentence, say
from cluster.models import Cluster, Comparison, Host
from cluster.review import ask_for_repair
from cluster.standing import ClusterStanding, HostStanding
from cluster.templatetags.words import said
from cluster.views.access import operator_required
from cluster.views.bell import ring
from cluster.views.request import PersonRequest
from cluster.views.runs import go_to_review, start_review
from cluster.views.services import log


@dataclass(frozen=True, slots=True)
class Line:
    """One difference. *change* is what would repair it."""

    key: str
    told: Sentence
    change: Change
    since: datetime
    adoptable: bool

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Line:
        return cls(
            data["key"],
            words.from_json(data["told"]),
            Change.from_json(data["change"]),
            datetime.fromisoformat(data["since"]),
            data["adoptable"],
        )


@dataclass(frozen=True, slots=True)
class HostDrift:
    """A host with its lines; *more* are counted, not shown. *foreign* are services
    that are not ours, with the moment when they were seen first."""

    host: Host
    standing: HostStanding | None
    lines: tuple[Line, ...]
    more: int
    foreign: tuple[tuple[str, datetime], ...]
    reasons: tuple[Sentence, ...]

    @classmethod
    def of(cls, host: Host) -> HostDrift:
        row: Comparison | None = getattr(host, "comparison", None)
        if row is None:
            return cls(host, None, (), 0, (), ())
        lines = tuple(Line.of(data) for data in row.differences)
        return cls(
            host,
            standing.of_host(host),
            lines,
            row.count - len(lines),
            tuple(
                (one["key"], datetime.fromisoformat(one["since"]))
                for one in row.foreign
            ),
            tuple(words.from_json(data) for data in row.unknown),
        )


@require_safe
@never_cache
def drift(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the page; the same address gives the fragment alone to htmx."""
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    hosts = cluster.hosts.exclude(role=Host.Role.PROBE).select_related("comparison")
    shown = [HostDrift.of(host) for host in hosts.defer("facts")]
    context = {
        "cluster": cluster,
        "hosts": shown,
        "standing": ClusterStanding(tuple(h.standing for h in shown if h.standing)),
        "applied": cluster.revisions.first(),
        "looking": errands.progress(Errand.OBSERVE, cluster.pk) is Progress.WAITING,
    }
    fragment = "HX-Request" in request.headers and not request.headers.get("HX-Boosted")
    template = "cluster/_drift.html" if fragment else "cluster/drift.html"
    return render(request, template, context)


@require_POST
@operator_required
def compare(request: PersonRequest, slug: str) -> HttpResponse:
    """Let a worker read every host of the cluster now."""
    cluster = get_object_or_404(Cluster, slug=slug)
    Comparison.objects.filter(host__cluster=cluster).update(due_at=timezone.now())
    if errands.begin(Errand.OBSERVE, cluster.pk):
        ring(tasks.observe_cluster, cluster.pk)
    return redirect("cluster:drift", slug)


@require_POST
@operator_required
def repair(request: PersonRequest, slug: str) -> HttpResponse:
    """Plan the way back to the newest revision: of a line, of a host, or of all."""
    cluster = get_object_or_404(Cluster, slug=slug)
    scope = Scope(
        hosts=tuple(request.POST.getlist("host")),
        keys=tuple(request.POST.getlist("key")),
    )
    with transaction.atomic():
        actor = Actor.of_request(request)
        found = ask_for_repair(cluster, scope, request.user, actor)
        if found and found.is_new:
            ring(tasks.plan_run, found.run.pk)
    if found is None:
        messages.info(
            request, _("Nothing was applied yet: there is nothing to repair.")
        )
        return redirect("cluster:drift", slug)
    return go_to_review(request, found)


@require_POST
@operator_required
def adopt(request: PersonRequest, slug: str) -> HttpResponse:
    """Write what the host has into the draft, then review the draft."""
    cluster = get_object_or_404(Cluster, slug=slug)
    host = get_object_or_404(
        cluster.hosts.select_related("cluster"), name=request.POST.get("host", "")
    )
    key = request.POST.get("key", "")
    try:
        with transaction.atomic():
            edits = adopting.adopt_line(host, key)
            if edits:
                sentence = say(
                    "Adopt from {host}: {edits}", host=host, edits=joined(edits)
                )
                log(request, cluster, sentence, host.name)
    except CannotAdopt as error:
        messages.error(request, said(error.sentence))
        return redirect("cluster:drift", slug)
    return start_review(request, cluster)
