"""A run from review to its end: one page by state, with a fragment that is polled."""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from cluster import audit, tasks
from cluster.audit import Action, Actor
from cluster.lvs.words import say
from cluster.models import Cluster, Run, Step
from cluster.review import Review, ask_for_plan, confirm, keep
from cluster.views.access import operator_required
from cluster.views.bell import ring
from cluster.views.request import PersonRequest
from cluster.views.run_page import (
    ShownStep,
    log_text,
    run_context,
    shell_text,
    shown_steps,
    step_text,
)

State = Run.State
STOP_POLLING = 286  # htmx: swap this answer and ask no more


@require_POST
@operator_required
def review(request: PersonRequest, slug: str) -> HttpResponse:
    return start_review(request, get_object_or_404(Cluster, slug=slug))


def start_review(request: PersonRequest, cluster: Cluster) -> HttpResponse:
    """Let a worker plan what is wanted now, and go to the page of that run."""
    with transaction.atomic():
        found = ask_for_plan(cluster, request.user, Actor.of_request(request))
        if found.is_new:
            ring(tasks.plan_run, found.run.pk)
    return go_to_review(request, found)


def go_to_review(request: PersonRequest, found: Review) -> HttpResponse:
    """Go to the page of a run that was asked for, or that must end first."""
    if found.is_busy:
        text = _("Run %(run)s is in progress. Review again when it has ended.")
        messages.info(request, text % {"run": found.run})
    return redirect("cluster:run", found.run.pk)


@require_safe
@never_cache
def run(request: PersonRequest, pk: int) -> HttpResponse:
    shown = _run(pk)
    return render(request, "cluster/run.html", run_context(shown, request.user))


@require_safe
@never_cache
def run_fragment(request: PersonRequest, pk: int) -> HttpResponse:
    context = run_context(_run(pk), request.user) | {"is_fragment": True}
    status = 200 if context["polls"] else STOP_POLLING
    return render(request, "cluster/_run.html", context, status=status)


@require_POST
@operator_required
def run_confirm(request: PersonRequest, pk: int) -> HttpResponse:
    """Apply exactly the plan that was seen: its hash comes back with the form."""
    shown = _run(pk)
    if shown.cautions and not _typed(request, shown):
        context = run_context(shown, request.user)
        context["confirm_error"] = _("Type %(word)s to go on. Nothing was sent.") % {
            "word": shown.cluster.name
        }
        return render(request, "cluster/run.html", context, status=422)
    try:
        confirmed = _confirm(request, shown)
    except IntegrityError:
        text = _("Another run of this cluster is in progress. Nothing was sent.")
        messages.error(request, text)
    else:
        if not confirmed:
            text = _("This plan can no longer be applied: plan again.")
            messages.error(request, text)
    return redirect("cluster:run", pk)


def _typed(request: PersonRequest, run: Run) -> bool:
    return request.POST.get("confirm", "").strip() == run.cluster.name


def _confirm(request: PersonRequest, run: Run) -> bool:
    with transaction.atomic():
        seen = request.POST.get("plan_hash", "")
        confirmed = confirm(run, seen, request.user, Actor.of_request(request))
        if confirmed:
            ring(tasks.apply_run, run.pk)
    return confirmed


@require_POST
@operator_required
def run_keep(request: PersonRequest, pk: int) -> HttpResponse:
    """Let what was applied stay, before the hosts take it back by themselves."""
    shown = _run(pk)
    with transaction.atomic():
        kept = keep(shown, request.user, Actor.of_request(request))
        if kept:
            ring(tasks.apply_run, pk)
    if not kept:
        messages.error(request, _("There is nothing to keep now: see how it stands."))
    return redirect("cluster:run", pk)


@require_POST
@operator_required
def run_cancel(request: PersonRequest, pk: int) -> HttpResponse:
    """End a run that no worker has in its hands yet."""
    shown = _run(pk)
    waiting = Q(state=State.PLANNED) | Q(
        pk__in=Run.objects.unattended().values("pk"),
        state__in=[State.PLANNING, State.QUEUED],
    )
    with transaction.atomic():
        shown.tell(
            [say("{person} cancelled it. Nothing was sent.", person=request.user)]
        )
        cancelled = Run.objects.filter(waiting, pk=pk).update(
            state=State.CANCELLED, finished_at=timezone.now(), account=shown.account
        )
        if cancelled:
            actor = Actor.of_request(request)
            audit.of_run(actor, Action.ENDED, shown, say("Cancel run {run}", run=shown))
    if not cancelled:
        messages.error(request, _("It is too late to cancel: a worker has this run."))
    return redirect("cluster:run", pk)


@require_safe
def run_output(request: PersonRequest, pk: int) -> HttpResponse:
    """Everything that was sent and what came back, as text."""
    return _as_text(log_text(_run(pk)), f"run-{pk}.txt")


@require_safe
def run_shell(request: PersonRequest, pk: int) -> HttpResponse:
    """The plan as text to paste, where it is too long to stand in its page."""
    forward = [s for s in shown_steps(_run(pk)) if s.row.undoes_id is None]
    return _as_text(shell_text(forward), f"plan-{pk}.sh")


@require_safe
def run_step(request: PersonRequest, pk: int, position: int) -> HttpResponse:
    """One step with every line of its command."""
    row = get_object_or_404(
        Step.objects.select_related("host"), run=pk, position=position
    )
    return _as_text(step_text(ShownStep(row, row.value)))


def _as_text(text: str, file_name: str = "") -> HttpResponse:
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    if file_name:
        response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def _run(pk: int) -> Run:
    related = ("cluster", "requested_by", "confirmed_by", "revision")
    return get_object_or_404(Run.objects.select_related(*related), pk=pk)
