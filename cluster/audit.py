"""The audit log: append-only rows, chained by an HMAC whose key is in no database.

An event is committed before the act that it announces; when it cannot be written, the
act does not happen. ``mac = HMAC(key, previous mac || canonical JSON of the event)``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Model
from django.http import HttpRequest
from django.utils import timezone

from cluster.lvs.words import Sentence
from cluster.models import AuditEvent, AuditHead, Run, Step, User

Action = AuditEvent.Action
OUTPUT_CAP = 16 * 1024
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person at an address, or the system itself."""

    name: str = SYSTEM
    address: str = ""
    request_id: str = ""

    @classmethod
    def of_request(cls, request: HttpRequest) -> Actor:
        user = request.user
        return cls(
            user.get_username() or "anonymous",
            request.META.get("REMOTE_ADDR", ""),
            request.META.get("HTTP_X_REQUEST_ID", "")[:36],
        )

    @classmethod
    def of_user(cls, user: User | None) -> Actor:
        return cls(user.get_username()) if user else cls()


def append(
    actor: Actor, action: AuditEvent.Action, sentence: Sentence, **fields: Any
) -> AuditEvent:
    """Write one event at the end of the chain and return it.

    Must be the last thing that can fail before the act it announces. Other *fields*
    are those of the model: cluster, host, object, run, step, command, output ...
    """
    (event,) = _append(actor, action, [(sentence, fields)])
    return event


def _append(
    actor: Actor,
    action: AuditEvent.Action,
    entries: Iterable[tuple[Sentence, dict[str, Any]]],
) -> list[AuditEvent]:
    events = []
    # No savepoint of its own: when it cannot be written, what it announces fails, too.
    with transaction.atomic(savepoint=False):
        head = AuditHead.objects.select_for_update().get(pk=1)
        for sentence, fields in entries:
            event = AuditEvent(
                seq=head.seq + 1,
                at=timezone.now(),
                actor=actor.name,
                address=actor.address,
                request_id=actor.request_id,
                action=action,
                sentence=sentence.as_json(),
                **fields,
            )
            event.output = event.output[:OUTPUT_CAP]
            event.text = _searchable(event, sentence)
            event.mac = _mac(head.mac, event)
            head.seq, head.mac = event.seq, event.mac
            events.append(event)
        AuditEvent.objects.bulk_create(events)
        AuditHead.objects.filter(pk=head.pk).update(seq=head.seq, mac=head.mac)
    return events


def intents(actor: Actor, steps: Iterable[Step]) -> None:
    """Announce commands of a run; nothing may be sent before this has returned."""
    _append(actor, Action.INTENT, [_intent(step) for step in steps])


def _intent(step: Step) -> tuple[Sentence, dict[str, Any]]:
    command = step.value.command
    fields = {
        **_step_fields(step),
        "command": command.line,
        "stdin": command.stdin.decode("utf-8", "replace"),
        "stdin_sha256": hashlib.sha256(command.stdin).hexdigest(),
    }
    return step.value.sentences[0], fields


def outcome(
    actor: Actor, step: Step, sentence: Sentence, seconds: float | None = None
) -> None:
    """Say what came of a command that was announced; the step row has the details."""
    append(
        actor,
        Action.OUTCOME,
        sentence,
        **_step_fields(step),
        command=step.value.command.line,
        exit_status=step.exit_status,
        output=step.output,
        seconds=seconds,
    )


def of_run(
    actor: Actor, action: AuditEvent.Action, run: Run, sentence: Sentence
) -> None:
    append(actor, action, sentence, cluster=run.cluster.name, run=run.pk)


def _step_fields(step: Step) -> dict[str, Any]:
    return {
        "cluster": step.run.cluster.name,
        "host": step.host.name,
        "run": step.run.pk,
        "step": step.pk,
    }


def _searchable(event: AuditEvent, sentence: Sentence) -> str:
    words = [str(sentence), event.command, event.stdin, event.output, event.object]
    return "\n".join(word for word in words if word)


# -- the chain ------------------------------------------------------------------------

_CHAINED = [
    field.attname
    for field in AuditEvent._meta.concrete_fields  # noqa: SLF001
    if field.name not in ("id", "mac", "text")
]


def _mac(previous: str, event: AuditEvent) -> str:
    record = {name: _plain(getattr(event, name)) for name in _CHAINED}
    text = previous + json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hmac.new(settings.AUDIT_KEY, text.encode(), hashlib.sha256).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(timezone.get_default_timezone()).isoformat()
    return str(value) if isinstance(value, Model) else value


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place where the log is not what was written."""

    seq: int
    reason: str


def verify() -> tuple[int, Fault | None]:
    """Return how many events are sound, and the first fault if there is one.

    Others may write meanwhile: what is checked is the log up to the head of now, and
    that nothing lies beyond a head that is read after it.
    """
    head = AuditHead.objects.get(pk=1)
    previous, expected = "", 1
    for event in _up_to(head.seq):
        if event.seq != expected:
            return expected - 1, Fault(expected, "missing")
        if not hmac.compare_digest(event.mac, _mac(previous, event)):
            return expected - 1, Fault(event.seq, "changed")
        previous, expected = event.mac, expected + 1
    if (head.seq, head.mac) != (expected - 1, previous):
        return expected - 1, Fault(expected, "missing at the end")
    newest = AuditEvent.objects.aggregate(newest=Max("seq"))["newest"] or 0
    if newest > AuditHead.objects.get(pk=1).seq:
        return head.seq, Fault(head.seq + 1, "not written by the dashboard")
    return head.seq, None


def _up_to(seq: int) -> Iterator[AuditEvent]:
    events = AuditEvent.objects.filter(seq__lte=seq).order_by("seq")
    return events.iterator(chunk_size=2000)
