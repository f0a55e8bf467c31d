"""A new cluster."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from cluster import audit
from cluster.audit import Action, Actor
from cluster.forms.cluster import ClusterForm
from cluster.lvs.words import say
from cluster.views.access import administrator_required
from cluster.views.request import PersonRequest


@require_http_methods(["GET", "HEAD", "POST"])
@administrator_required
def cluster_new(request: PersonRequest) -> HttpResponse:
    form = ClusterForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        status = 422 if request.method == "POST" else 200
        context = {"form": form}
        return render(request, "cluster/cluster_new.html", context, status=status)
    with transaction.atomic():
        cluster = form.save()
        audit.append(
            Actor.of_request(request),
            Action.CHANGED,
            say("Make the cluster {name}", name=cluster.name),
            cluster=cluster.name,
        )
    messages.success(request, _("The cluster is made. Now add its director."))
    return redirect("cluster:cluster", cluster.slug)
