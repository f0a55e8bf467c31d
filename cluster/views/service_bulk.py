"""Switch virtual services on or off, or give them a scheduler: one, or many at once."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from cluster import draft
from cluster.forms.words import spoken
from cluster.lvs.edits import edits, joined
from cluster.lvs.options import Options, of_service
from cluster.lvs.terms import Scheduler
from cluster.lvs.words import Sentence, say
from cluster.models import Cluster, VirtualService
from cluster.views.access import operator_required
from cluster.views.request import PersonRequest
from cluster.views.services import log

ON, OFF, SCHEDULER = "on", "off", "scheduler"


@require_POST
@operator_required
def service_bulk(request: PersonRequest, slug: str) -> HttpResponse:
    """Change the selected services in one edit, or the one whose button was pressed."""
    cluster = get_object_or_404(Cluster, slug=slug)
    action, rows = _asked(request, cluster)
    scheduler = Scheduler.__members__.get(request.POST.get("scheduler", "").upper())
    known = action in (ON, OFF) or (action == SCHEDULER and scheduler is not None)
    if not rows or not known:
        messages.warning(request, _("Nothing was changed: select virtual services."))
        return redirect("cluster:services", slug)
    refused = _refused(rows, scheduler) if scheduler and action == SCHEDULER else []
    for why in refused:
        messages.error(request, spoken(why))
    if not refused:
        _change(request, cluster, rows, action, scheduler)
    return redirect("cluster:services", slug)


def _asked(
    request: PersonRequest, cluster: Cluster
) -> tuple[str, list[VirtualService]]:
    """Return what to do, and with which services."""
    action, _colon, pk = request.POST.get("only", "").partition(":")
    pks = [pk] if pk else request.POST.getlist("service")
    numbers = [int(one) for one in pks if one.isdecimal() and len(one) < 10]
    rows = cluster.services.filter(pk__in=numbers).prefetch_related("servers")
    return action or request.POST.get("action", ""), list(rows)


def _refused(rows: Sequence[VirtualService], scheduler: Scheduler) -> list[Sentence]:
    """Say which services the scheduler does not go with, and why."""
    found = []
    for row in rows:
        chosen = Options(
            scheduler,
            row.persistence,
            row.netmask,
            row.hash_port,
            row.hash_fallback,
            row.one_packet,
            row.source_nat,
        )
        for _field, why in of_service(chosen, row.carries):
            found.append(say("{at}: {why}", at=row, why=why))
    return found


@transaction.atomic
def _change(
    request: PersonRequest,
    cluster: Cluster,
    rows: Sequence[VirtualService],
    action: str,
    scheduler: Scheduler | None,
) -> None:
    before = cluster.wish().table
    changed = [row for row in rows if _differs(row, action, scheduler)]
    for row in changed:
        row.save(update_fields=["enabled", "scheduler", "changed_at"])
    found = edits(before, cluster.wish().table, draft.names(cluster))
    if found:
        log(request, cluster, joined([edit.sentence for edit in found]))
    elif changed:
        # What is switched off is no part of the wish, but a person changed it.
        log(request, cluster, say("Change services that are switched off: {names}",
                                  names=", ".join(map(str, changed))))  # fmt: skip
    if changed:
        text = ngettext(
            "%(n)d virtual service was changed. Nothing is sent before you review.",
            "%(n)d virtual services were changed. Nothing is sent before you review.",
            len(changed),
        )
        messages.success(request, text % {"n": len(changed)})
    else:
        messages.info(request, _("Nothing was changed."))


def _differs(row: VirtualService, action: str, scheduler: Scheduler | None) -> bool:
    """Set the field, and say whether it is another value."""
    before = (row.enabled, row.scheduler)
    if action == SCHEDULER and scheduler:
        row.scheduler = scheduler.value
    elif action in (ON, OFF):
        row.enabled = action == ON
    return before != (row.enabled, row.scheduler)
