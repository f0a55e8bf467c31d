"""The form of a virtual service: new, edit, rows in place, checked while typing."""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from cluster import draft
from cluster.forms.rows import changed_rows, wants_rows
from cluster.forms.service import ServiceEntry
from cluster.forms.shares import share_out
from cluster.lvs.edits import joined
from cluster.lvs.terms import CHOSEN_METHODS, Scheduler
from cluster.lvs.words import say
from cluster.models import AddressCheck, Cluster, VirtualService
from cluster.views import addresses
from cluster.views.access import operator_required
from cluster.views.request import PersonRequest
from cluster.views.runs import start_review
from cluster.views.services import log

_require_form = require_http_methods(["GET", "HEAD", "POST"])


@_require_form
@operator_required
def service_new(request: PersonRequest, slug: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    return _form(request, cluster, None, _template(request, cluster))


def _template(request: PersonRequest, cluster: Cluster) -> VirtualService | None:
    """Return the service that the new one begins as a copy of."""
    pk = request.GET.get("copy", "")
    return get_object_or_404(cluster.services, pk=pk) if pk.isdecimal() else None


@_require_form
@operator_required
def service(request: PersonRequest, slug: str, pk: int) -> HttpResponse:
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    return _form(request, cluster, get_object_or_404(cluster.services, pk=pk))


@require_POST
@operator_required
def service_row(request: PersonRequest, slug: str) -> HttpResponse:
    """Return the rows of real servers with one more or one less, nothing saved."""
    cluster = get_object_or_404(Cluster, slug=slug)
    entry = _half_typed(cluster, None, changed_rows(request.POST))
    return render(request, "cluster/_server_rows.html", _context(entry))


@require_POST
@operator_required
def service_check(request: PersonRequest, slug: str) -> HttpResponse:
    """Return the notes of every field, and nothing that is being typed in."""
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    pk = request.POST.get("service", "")
    edited = cluster.services.filter(pk=pk).first() if pk.isdecimal() else None
    entry = _half_typed(cluster, edited, request.POST)
    return render(request, "cluster/_service_notes.html", _context(entry))


def _form(
    request: PersonRequest,
    cluster: Cluster,
    edited: VirtualService | None,
    template: VirtualService | None = None,
) -> HttpResponse:
    if request.method != "POST":
        entry = ServiceEntry(cluster, edited, template=template)
        context = _context(entry) | {"template": template}
        return render(request, "cluster/service.html", context)
    if wants_rows(request.POST):
        entry = _half_typed(cluster, edited, changed_rows(request.POST))
        return render(request, "cluster/service.html", _context(entry))
    entry = ServiceEntry(cluster, edited, request.POST)
    if not (
        entry.is_valid() and _vip_is_free(request, entry) and _save(request, entry)
    ):
        context = _context(entry) | {"refused": True}
        return render(request, "cluster/service.html", context, status=422)
    if request.POST.get("next") == "review":
        return start_review(request, cluster)
    return redirect("cluster:services", cluster.slug)


def _half_typed(
    cluster: Cluster, edited: VirtualService | None, data: QueryDict
) -> ServiceEntry:
    entry = ServiceEntry(cluster, edited, data)
    entry.is_valid()
    entry.forget_empty()
    return entry


def _context(entry: ServiceEntry) -> dict[str, object]:
    """What the page and its fragments need."""
    typed = entry.vips if entry.form.is_bound and not entry.form.by_mark else ()
    vip = str(typed[0]) if typed else ""
    ours = bool(vip) and addresses.is_ours(entry.cluster, vip)
    edited = entry.service
    applied = draft.applied_table(entry.cluster).by_address
    return {
        "entry": entry,
        "form": entry.form,
        "servers": entry.servers,
        "cluster": entry.cluster,
        "service": edited,
        "is_applied": edited is not None and edited.at in applied,
        "schedulers": list(Scheduler),
        "methods": CHOSEN_METHODS,
        "chosen": entry.form["scheduler"].value(),
        "shares": share_out(entry),
        "address": vip,
        "ours": ours,
        "check": addresses.recent(entry.cluster, vip) if vip and not ours else None,
    }


def _vip_is_free(request: PersonRequest, entry: ServiceEntry) -> bool:
    """Refuse a VIP that somebody on the LAN answers for; an open question warns."""
    return all(_is_free(request, entry, str(vip)) for vip in entry.vips)


def _is_free(request: PersonRequest, entry: ServiceEntry, vip: str) -> bool:
    if addresses.is_ours(entry.cluster, vip):
        return True
    check = addresses.settled(entry.cluster, vip, request.user)
    if check and check.state == AddressCheck.State.TAKEN:
        entry.refuse_address(addresses.in_use(check))
        return False
    if not check or check.state != AddressCheck.State.FREE:
        text = _(
            "Whether %(vip)s is free on the LAN is not known. It is asked again before"
            " anything is bound."
        )
        messages.warning(request, text % {"vip": vip})
    return True


def _save(request: PersonRequest, entry: ServiceEntry) -> bool:
    try:
        with transaction.atomic():
            row, told = entry.save()
            if not told:
                messages.info(request, _("Nothing was changed."))
                return True
            about = str(row.at)
            said = joined(told)
            if entry.service:
                said = say("Change {at}: {edit}", at=about, edit=said)
            log(request, entry.cluster, said, about)
    except IntegrityError:
        # Somebody else saved the same address and port between check and save.
        entry.refuse_address(say("Somebody else has just made this service."))
        return False
    _warn(request, entry, about)
    return True


def _warn(request: PersonRequest, entry: ServiceEntry, about: str) -> None:
    if not entry.filled_rows:
        text = _("%(at)s has no real server: it will refuse every connection.")
        messages.warning(request, text % {"at": about})
    elif all(row.cleaned_data["weight"] == 0 for row in entry.filled_rows):
        text = _("%(at)s takes no new connection: all weights are 0.")
        messages.warning(request, text % {"at": about})
    elif request.POST.get("next") != "review":
        text = _("%(at)s is saved. Nothing is sent before you review and apply.")
        messages.success(request, text % {"at": about})
