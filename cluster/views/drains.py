"""A real server in all its services: weights, drain, bring back."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from cluster import draft, drains, tasks, unheard
from cluster.audit import Actor
from cluster.drains import Proposal, Refused, propose
from cluster.forms.drain import (
    DrainForm,
    MoreTimeForm,
    SelectedForm,
    WeightForm,
    for_selected,
    weight_forms,
)
from cluster.forms.words import spoken
from cluster.lvs.drain import Event, NotPossible
from cluster.lvs.drain_advice import advice, at_the_end
from cluster.lvs.drained import records
from cluster.lvs.edits import edits, joined
from cluster.lvs.table import IPAddress
from cluster.models import Cluster, Drain, RealServer
from cluster.models.drains import Moved
from cluster.views.access import operator_required
from cluster.views.bell import ring
from cluster.views.drain_page import ShownDrain
from cluster.views.manual_steps import by_hand
from cluster.views.request import PersonRequest
from cluster.views.runs import STOP_POLLING, start_review
from cluster.views.services import log


@require_safe
@never_cache
def server(request: PersonRequest, slug: str, address: str) -> HttpResponse:
    """The page of a real server: where it serves, with which weight; drain it."""
    cluster, rip = _place(slug, address)
    only = {"services": [request.GET["service"]]} if "service" in request.GET else {}
    form = DrainForm(_services(cluster, rip), initial=only)
    return _page(request, cluster, rip, form)


def _place(slug: str, address: str) -> tuple[Cluster, IPAddress]:
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    try:
        rip = ip_address(address)
    except ValueError as error:
        raise Http404(address) from error
    if not _rows(cluster, rip) and not _services(cluster, rip):
        raise Http404(address)
    return cluster, rip


def _rows(cluster: Cluster, rip: IPAddress) -> list[RealServer]:
    rows = RealServer.objects.filter(service__cluster=cluster, address=str(rip))
    return list(rows.select_related("service", "host").order_by("service"))


def _services(cluster: Cluster, rip: IPAddress) -> list[Any]:
    applied = records(draft.applied_table(cluster), rip)
    return [service.at for service in applied.services]


def _page(
    request: PersonRequest,
    cluster: Cluster,
    rip: IPAddress,
    form: DrainForm,
    weights: list[WeightForm] | None = None,
    selected: SelectedForm | None = None,
    status: int = 200,
) -> HttpResponse:
    running = cluster.drains.open().filter(address=str(rip)).first()
    state = cluster.director.state if cluster.director else None
    sysctls = dict(state.sysctls) if state else {}
    proposal = propose(cluster, rip)
    hosts = [host for host in cluster.hosts.all() if rip in host.addresses]
    applied = draft.applied_table(cluster).by_address
    context = {
        "cluster": cluster,
        "address": str(rip),
        "unheard": unheard.of_hosts(hosts),
        "by_hand": by_hand(cluster, rip),
        "name": proposal.name,
        "form": form,
        "weights": weights or weight_forms(_rows(cluster, rip)),
        "selected": selected or SelectedForm(prefix="all"),
        "drain": ShownDrain.of(running) if running else None,
        "proposal": proposal,
        "advice": [
            sentence
            for service in proposal.kept.services
            for sentence in advice(applied[service.at], sysctls)
        ],
        "at_the_end": at_the_end(sysctls),
        "past": cluster.drains.filter(address=str(rip))[:10],
    }
    return render(request, "cluster/server.html", context, status=status)


@require_POST
@operator_required
def drain_new(request: PersonRequest, slug: str, address: str) -> HttpResponse:
    cluster, rip = _place(slug, address)
    form = DrainForm(_services(cluster, rip), request.POST)
    if not form.is_valid():
        return _page(request, cluster, rip, form, status=422)
    proposal = propose(cluster, rip, form.chosen, form.cleaned_data["floor"])
    try:
        row = _begin(request, proposal, form)
    except Refused as refused:
        never = {str(sentence) for sentence in proposal.never}
        for sentence in refused.sentences:
            form.add_error(
                None if str(sentence) in never else "floor", spoken(sentence)
            )
        return _page(request, cluster, rip, form, status=422)
    return redirect("cluster:drain", row.pk)


@transaction.atomic
def _begin(request: PersonRequest, proposal: Proposal, form: DrainForm) -> Drain:
    row = drains.begin(
        proposal,
        form.choice,
        form.cleaned_data["floor"],
        request.user,
        Actor.of_request(request),
        may_wait=form.cleaned_data["may_wait"],
        reuse=form.cleaned_data["reuse"],
    )
    ring(tasks.advance_drain, row.pk)
    return row


@require_POST
@operator_required
def server_weights(request: PersonRequest, slug: str, address: str) -> HttpResponse:
    """Save weights and switches as a change of the wish, and review it."""
    cluster, rip = _place(slug, address)
    servers, selected = _rows(cluster, rip), SelectedForm(request.POST, prefix="all")
    typed = selected.typed if selected.is_valid() else {}
    rows = weight_forms(servers, for_selected(request.POST, servers, typed))
    valid = [selected.is_valid(), *(row.is_valid() for row in rows)]
    if typed and not any(row["selected"].value() for row in rows):
        selected.add_error(None, _("Select the services to change first."))
        valid.append(False)
    if not all(valid):
        form = DrainForm(_services(cluster, rip))
        return _page(request, cluster, rip, form, rows, selected, status=422)
    before = cluster.wish().table
    with transaction.atomic():
        for row in rows:
            row.save()
        found = edits(before, cluster.wish().table, draft.names(cluster))
        if found:
            said = joined([edit.sentence for edit in found])
            log(request, cluster, said, str(rip))
    if not draft.draft_edits(cluster):
        messages.info(request, _("Everything is as applied; there is nothing to do."))
        return redirect("cluster:server", slug, rip)
    return start_review(request, cluster)


@require_safe
@never_cache
def drain(request: PersonRequest, pk: int) -> HttpResponse:
    return render(request, "cluster/drain.html", _drain_context(_drain(pk)))


@require_safe
@never_cache
def drain_fragment(request: PersonRequest, pk: int) -> HttpResponse:
    context = _drain_context(_drain(pk)) | {"is_fragment": True}
    status = 200 if context["drain"].polls else STOP_POLLING
    return render(request, "cluster/_drain.html", context, status=status)


def _drain(pk: int) -> Drain:
    related = ("cluster", "run", "requested_by")
    return get_object_or_404(Drain.objects.select_related(*related), pk=pk)


def _drain_context(row: Drain) -> dict[str, Any]:
    return {
        "drain": ShownDrain.of(row),
        "cluster": row.cluster,
        "more_time": MoreTimeForm(),
    }


@require_POST
@operator_required
def drain_tell(request: PersonRequest, pk: int) -> HttpResponse:
    """Do what a button says, if it still has a meaning."""
    row = _drain(pk)
    name = request.POST.get("say", "")
    event = Event.__members__.get(name)
    more = MoreTimeForm(request.POST)
    late = _("The drain has gone on meanwhile. Look again before you decide.")
    if event is None or event not in drains.PERSONS:
        raise Http404(name)
    if event is Event.LONGER and not more.is_valid():
        context = _drain_context(row) | {"more_time": more}
        return render(request, "cluster/drain.html", context, status=422)
    minutes = more.cleaned_data["minutes"] if event is Event.LONGER else 0
    try:
        with transaction.atomic():
            drains.tell(
                row,
                event,
                request.user,
                Actor.of_request(request),
                more=timedelta(minutes=minutes) or None,
            )
            ring(tasks.advance_drain, row.pk)
    except (NotPossible, Moved):
        messages.error(request, late)
    return redirect("cluster:drain", pk)
