"""Virtual services of a cluster as wanted: the list, discarding, deleting."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from cluster import audit, draft
from cluster.audit import Action, Actor
from cluster.lvs.edits import Edit, Names, joined
from cluster.lvs.table import ServiceAddress
from cluster.lvs.table import VirtualService as ServiceValue
from cluster.lvs.table_plan import named
from cluster.lvs.terms import Scheduler
from cluster.lvs.words import Sentence, say
from cluster.models import Cluster, VirtualService
from cluster.views.access import operator_required
from cluster.views.request import PersonRequest


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list: a row, or a service that is applied but wanted no more."""

    at: ServiceAddress
    row: VirtualService | None
    gone: ServiceValue | None
    edit: Edit | None
    names: Names

    @property
    def place(self) -> str:
        """Return ``10.0.1.31:80`` or ``7 · 10.0.1.31 tcp 80,443``."""
        whole = str(self.row) if self.row else named(self.gone) if self.gone else ""
        return whole.partition(" ")[2]

    @property
    def gone_servers(self) -> list[tuple[str, int]]:
        """Return names and weights of what is still applied."""
        servers = self.gone.servers if self.gone else ()
        return [(self.names.get(s.address, str(s.address)), s.weight) for s in servers]


@require_safe
def services(request: PersonRequest, slug: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    serving = cluster.hosts.annotate(count=Count("serves")).filter(count__gt=0)
    context = {
        "cluster": cluster,
        "lines": lines(cluster),
        "schedulers": list(Scheduler),
        "served": serving,
    }
    return render(request, "cluster/services.html", context)


def lines(cluster: Cluster) -> list[Line]:
    rows = {r.at: r for r in cluster.services.prefetch_related("servers__host")}
    found = {edit.at: edit for edit in draft.draft_edits(cluster) if edit.at}
    gone, known = draft.applied_table(cluster).by_address, draft.names(cluster)
    keys = sorted({*rows, *found}, key=lambda at: at.sort_key)
    return [
        Line(
            at,
            rows.get(at),
            None if at in rows else gone.get(at),
            found.get(at),
            known,
        )
        for at in keys
    ]


@require_POST
@operator_required
def discard(request: PersonRequest, slug: str) -> HttpResponse:
    """Take back every edit since the newest revision."""
    cluster = get_object_or_404(Cluster, slug=slug)
    with transaction.atomic():
        lost = draft.draft_edits(cluster)
        if lost:
            draft.load(cluster, cluster.applied())
            said = joined([edit.sentence for edit in lost])
            log(
                request, cluster, say("Discard what was not applied: {lost}", lost=said)
            )
    if lost:
        text = ngettext(
            "%(n)d change was discarded.", "%(n)d changes were discarded.", len(lost)
        )
        messages.success(request, text % {"n": len(lost)})
    else:
        messages.info(request, _("There was nothing to discard."))
    return redirect("cluster:services", slug)


@require_POST
@operator_required
def delete(request: PersonRequest, slug: str, pk: int) -> HttpResponse:
    """Delete from the wish. One that is applied needs its VIP typed."""
    row = get_object_or_404(VirtualService, pk=pk, cluster__slug=slug)
    cluster, at = row.cluster, row.at
    applied = at in draft.applied_table(cluster).by_address
    if applied and request.POST.get("confirm", "").strip() != row.word:
        messages.error(
            request,
            _("Nothing was deleted: type the VIP %(vip)s to go on.")
            % {"vip": row.word},
        )
        return redirect("cluster:service", slug, pk)
    with transaction.atomic():
        sentence = say("Delete virtual service {at} from the wish", at=at)
        row.delete()
        log(request, cluster, sentence, str(at))
    if applied:
        text = _("%(at)s is still in the kernel: review and apply to take it out.")
    else:
        text = _("%(at)s is deleted. It was never applied.")
    messages.success(request, text % {"at": at})
    return redirect("cluster:services", slug)


def log(
    request: PersonRequest, cluster: Cluster, sentence: Sentence, about: str = ""
) -> None:
    """Write a change of the wish into the audit log, inside its transaction."""
    audit.append(
        Actor.of_request(request),
        Action.CHANGED,
        sentence,
        cluster=cluster.name,
        object=about,
    )
