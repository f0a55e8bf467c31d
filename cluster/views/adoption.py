"""Adopt what somebody built by hand on the director: look at it, then take it over."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from cluster import adopting, tasks
from cluster.adopting import CannotAdopt, Found
from cluster.audit import Actor
from cluster.lvs.words import listed, say
from cluster.models import Cluster, Host
from cluster.review import ask_for_adoption
from cluster.templatetags.words import said
from cluster.views.access import operator_required
from cluster.views.bell import ring
from cluster.views.request import PersonRequest
from cluster.views.runs import go_to_review
from cluster.views.services import log


@require_http_methods(["GET", "HEAD", "POST"])
@operator_required
@never_cache
def adoption(request: PersonRequest, slug: str) -> HttpResponse:
    """Show what was found line by line; a POST takes over what was chosen."""
    found = Cluster.objects.select_related("director__cluster")
    cluster = get_object_or_404(found, slug=slug)
    director = cluster.director
    services = adopting.survey(director) if director else []
    if request.method == "POST" and director:
        return _take_over(request, director, services)
    context = {
        "cluster": cluster,
        "director": director,
        "services": services,
        "takeable": sum(one.refusal is None for one in services),
        "chosen": request.GET.getlist("at") or [str(one.at) for one in services],
        "elsewhere": _elsewhere(cluster),
    }
    return render(request, "cluster/adoption.html", context)


def _take_over(
    request: PersonRequest, director: Host, services: list[Found]
) -> HttpResponse:
    cluster, wanted = director.cluster, set(request.POST.getlist("at"))
    chosen = [one.at for one in services if str(one.at) in wanted]
    if not chosen:
        messages.error(request, _("Choose at least one service. Nothing was adopted."))
        return redirect("cluster:adoption", cluster.slug)
    try:
        with transaction.atomic():
            adopting.adopt_services(director, chosen)
            names = listed([str(at) for at in chosen])
            text = say("Adopt from {host}: {services}", host=director, services=names)
            log(request, cluster, text, director.name)
            actor = Actor.of_request(request)
            review = ask_for_adoption(cluster, chosen, request.user, actor)
            if review.is_busy:
                transaction.set_rollback(True)
            elif review.is_new:
                ring(tasks.plan_run, review.run.pk)
    except CannotAdopt as error:
        messages.error(request, said(error.sentence))
        return redirect("cluster:adoption", cluster.slug)
    return go_to_review(request, review)


def _elsewhere(cluster: Cluster) -> list[Host]:
    """Return directors that are not the active one and have services not ours."""
    others = [h for h in cluster.hosts.directors() if h.pk != cluster.director_id]
    return [host for host in others if adopting.survey(host)]
