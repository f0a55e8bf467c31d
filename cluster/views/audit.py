"""The audit log: who did what, where, with which exact command, and what came of it."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from cluster import audit as log
from cluster.forms.audit import AuditFilter
from cluster.lvs import words
from cluster.models import AuditEvent, AuditHead, Cluster, Host, User
from cluster.views.access import operator_required
from cluster.views.request import PersonRequest

PAGE = 50
CHUNK = 500
# About 10,000 events a second: a page must not wait longer than that.
VERIFY_IN_PAGE = 100_000
VERIFIED = "audit:verified"
# A spreadsheet takes text that begins so for a formula (ASVS 1.2.10).
FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    "seq",
    "at",
    "actor",
    "address",
    "request_id",
    "action",
    "cluster",
    "host",
    "object",
    "run",
    "step",
    "sentence",
    "command",
    "stdin",
    "stdin_sha256",
    "exit_status",
    "output",
    "seconds",
    "mac",
)


@require_safe
@operator_required
def audit(request: PersonRequest) -> HttpResponse:
    """Show a page of events, found by sequence number: new ones shift nothing."""
    form = AuditFilter(request.GET)
    wanted = form.events()
    events, older, newer = page_of(wanted, request.GET)
    context = {
        "form": form,
        "events": events,
        "older": older,
        "newer": newer,
        "query": _filter_query(request.GET),
        "head": AuditHead.objects.get(pk=1),
        "verified": cache.get(VERIFIED),
        "names": _names(),
    }
    status = 200 if form.is_valid() else 422
    return render(request, "cluster/audit.html", context, status=status)


def page_of(
    wanted: QuerySet[AuditEvent], query: QueryDict
) -> tuple[list[AuditEvent], int | None, int | None]:
    """Return events and the sequence numbers for "older" and "newer" links."""
    before, after = _number(query.get("before")), _number(query.get("after"))
    if after is not None:
        found = list(wanted.filter(seq__gt=after).order_by("seq")[:PAGE])[::-1]
    elif before is not None:
        found = list(wanted.filter(seq__lt=before)[:PAGE])
    else:
        found = list(wanted[:PAGE])
    if not found:
        return [], None, None
    first, last = found[0].seq, found[-1].seq
    older = last if wanted.filter(seq__lt=last).exists() else None
    newer = first if wanted.filter(seq__gt=first).exists() else None
    return found, older, newer


def _number(text: str | None) -> int | None:
    if text and text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return None


def _filter_query(query: QueryDict) -> str:
    """Return the filter without the place in the list, for links."""
    kept = query.copy()
    for name in ("before", "after"):
        kept.pop(name, None)
    return kept.urlencode()


def _names() -> dict[str, Iterable[str]]:
    """Return what can be offered while typing; gone names can still be typed."""
    return {
        "actor": [*User.objects.values_list("username", flat=True), log.SYSTEM],
        "host": Host.objects.order_by("name").values_list("name", flat=True).distinct(),
        "cluster": Cluster.objects.values_list("name", flat=True),
    }


@require_POST
@operator_required
def audit_verify(request: PersonRequest) -> HttpResponse:
    """Check the whole chain and remember the result, with its time."""
    if AuditHead.objects.get(pk=1).seq > VERIFY_IN_PAGE:
        text = _("The log is long. Run on the dashboard's machine: %(command)s")
        messages.info(request, text % {"command": "manage.py verify_audit"})
    else:
        started = time.monotonic()
        sound, fault = log.verify()
        result = {
            "sound": sound,
            "fault": {"seq": fault.seq, "reason": fault.reason} if fault else None,
            "at": timezone.now(),
            "seconds": time.monotonic() - started,
        }
        cache.set(VERIFIED, result, None)
    return redirect(
        f"{reverse('cluster:audit')}?{request.POST.get('query', '')[:2000]}"
    )


@require_safe
@operator_required
def audit_export(request: PersonRequest, form: str) -> StreamingHttpResponse:
    """Stream the wanted events as CSV or as lines of JSON, oldest first."""
    wanted = AuditFilter(request.GET).events().order_by("seq")
    rows = wanted.iterator(chunk_size=CHUNK)
    lines = csv_lines(rows) if form == "csv" else json_lines(rows)
    kind = "text/csv" if form == "csv" else "application/jsonl"
    stamp = timezone.now().strftime("%Y%m%d-%H%M%S")
    name = f'attachment; filename="audit-{stamp}.{form}"'
    return StreamingHttpResponse(
        lines,
        content_type=f"{kind}; charset=utf-8",
        headers={"Content-Disposition": name},
    )


def record(event: AuditEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in COLUMNS}


class _Line:
    """What csv writes to: hands the text back instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def csv_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    for event in events:
        values = record(event) | {
            "at": event.at.isoformat(),
            "sentence": str(words.from_json(event.sentence)),
        }
        yield writer.writerow([harmless(value) for value in values.values()])


def harmless(value: Any) -> Any:
    """Put ``'`` before text that a spreadsheet would calculate."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value


def json_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    """Everything that the MAC is made of, so that others can check the chain too."""
    for event in events:
        values = record(event) | {
            "at": event.at.isoformat(),
            "said": str(words.from_json(event.sentence)),
        }
        yield json.dumps(values, ensure_ascii=False) + "\n"
