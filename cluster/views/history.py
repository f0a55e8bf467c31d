"""Runs and revisions of a cluster; an old revision can be the draft again."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from cluster import draft, kept
from cluster.lvs import edits, wish_edits
from cluster.lvs.edits import Edit, Names
from cluster.lvs.wish import ClusterWish
from cluster.lvs.words import say
from cluster.models import Cluster, Revision
from cluster.views.access import operator_required
from cluster.views.request import PersonRequest
from cluster.views.runs import start_review
from cluster.views.services import log

RUNS_A_PAGE = 25
REVISIONS_A_PAGE = 10
DRAINS_SHOWN = 20
LINES_AROUND = 3


@dataclass(frozen=True, slots=True)
class ShownRevision:
    """A revision, what it changed in words, and the rules line by line."""

    row: Revision
    edits: list[Edit]
    diff: list[tuple[str, str]]
    services: int
    is_newest: bool


@require_safe
def history(request: PersonRequest, slug: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster, slug=slug)
    runs = cluster.runs.select_related("requested_by", "confirmed_by", "revision")
    sent = Count("steps", filter=Q(steps__sent_at__isnull=False))
    runs = runs.annotate(sent=sent).order_by("-pk")
    pages = Paginator(runs, RUNS_A_PAGE)
    context = {
        "cluster": cluster,
        "runs": pages.get_page(request.GET.get("page")),
        "revisions": revisions(cluster),
        "draft": kept.draft_edits(cluster),
        "drains": cluster.drains.select_related("requested_by")[:DRAINS_SHOWN],
    }
    return render(request, "cluster/history.html", context)


def revisions(cluster: Cluster) -> list[ShownRevision]:
    """Return the newest revisions, each against the one before it."""
    rows = list(cluster.revisions.select_related("by")[: REVISIONS_A_PAGE + 1])
    known = draft.names(cluster)
    wishes = [ClusterWish.from_json(row.wish) for row in rows]
    before = [*wishes[1:], None]
    return [
        _shown(row, before[n], wishes[n], known, is_newest=n == 0)
        for n, row in enumerate(rows[:REVISIONS_A_PAGE])
    ]


def _shown(
    row: Revision,
    before: ClusterWish | None,
    after: ClusterWish,
    known: Names,
    *,
    is_newest: bool,
) -> ShownRevision:
    return ShownRevision(
        row,
        wish_edits.wish_edits(before, after, known),
        diff(before, after),
        len(after.table.services),
        is_newest,
    )


def diff(before: ClusterWish | None, after: ClusterWish) -> list[tuple[str, str]]:
    """Return the rules as (sign, line); the sign is "+", "-", a space, or "@" where
    lines that are alike are left out."""
    old, new = wish_edits.lines(before), wish_edits.lines(after)
    # Not ndiff: it looks for likeness inside of lines, which takes minutes for the
    # thousands of a large table.
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    found: list[tuple[str, str]] = []
    for n, group in enumerate(matcher.get_grouped_opcodes(LINES_AROUND)):
        if n or group[0][1]:
            found.append(("@", "…"))
        for tag, i, j, k, m in group:
            if tag == "equal":
                found += [(" ", line) for line in old[i:j]]
            else:
                found += [("-", line) for line in old[i:j]]
                found += [("+", line) for line in new[k:m]]
    return found


@require_safe
def revision(request: PersonRequest, slug: str, number: int) -> HttpResponse:
    """Show one revision against another one: the one before, or any that is asked for."""
    cluster = get_object_or_404(Cluster, slug=slug)
    rows = cluster.revisions.select_related("by")
    row = get_object_or_404(rows, number=number)
    asked = request.GET.get("against", "")
    wanted = int(asked) if asked.isdecimal() and len(asked) < 10 else number - 1
    against = rows.filter(number=wanted).first()
    before = ClusterWish.from_json(against.wish) if against else None
    after, newest = ClusterWish.from_json(row.wish), rows.first()
    shown = _shown(row, before, after, draft.names(cluster), is_newest=row == newest)
    context = {
        "cluster": cluster,
        "revision": shown,
        "against": against,
        "others": rows.exclude(pk=row.pk).values_list("number", flat=True),
        "runs": row.runs.select_related("confirmed_by", "requested_by"),
        "draft": kept.draft_edits(cluster),
    }
    return render(request, "cluster/revision.html", context)


@require_POST
@operator_required
def load(request: PersonRequest, slug: str, number: int) -> HttpResponse:
    """Make an old revision the wish and plan it: never a hidden overwrite."""
    cluster = get_object_or_404(Cluster, slug=slug)
    revision = get_object_or_404(cluster.revisions, number=number)
    with transaction.atomic():
        lost = draft.draft_edits(cluster)
        draft.load(cluster, ClusterWish.from_json(revision.wish))
        sentence = say("Load revision {number} as the draft", number=number)
        if lost:
            gone = edits.joined([edit.sentence for edit in lost])
            sentence = say("{what}, instead of: {lost}", what=sentence, lost=gone)
        log(request, cluster, sentence, f"r{number}")
    if not draft.draft_edits(cluster):
        text = _("The draft is revision %(number)d, as applied.")
        messages.info(request, text % {"number": number})
        return redirect("cluster:services", slug)
    return start_review(request, cluster)
