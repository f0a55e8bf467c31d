"""The confirm window of a cluster, a part of its settings page."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from cluster import audit
from cluster.audit import Action, Actor
from cluster.forms.confirm_window import ConfirmWindowForm
from cluster.lvs.words import say
from cluster.models import Cluster
from cluster.views.access import operator_required
from cluster.views.request import PersonRequest
from cluster.views.settings import settings_page


@require_POST
@operator_required
def confirm_window(request: PersonRequest, slug: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster.objects.select_related("director"), slug=slug)
    window = ConfirmWindowForm(request.POST, instance=cluster)
    if not window.is_valid():
        return settings_page(request, cluster, window, status=422)
    with transaction.atomic():
        window.save()
        text = say(
            "Confirm window of {cluster}: {seconds} s",
            cluster=cluster,
            seconds=cluster.confirm_seconds,
        )
        actor = Actor.of_request(request)
        audit.append(actor, Action.CHANGED, text, cluster=cluster.name)
    messages.success(
        request, _("Saved. It counts for plans that are made from now on.")
    )
    return redirect("cluster:settings", slug)
