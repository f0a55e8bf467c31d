"""Runs: a plan that somebody saw, confirmed, and that a worker carries out.

The whole state of a run is in these rows; the broker only rings the bell. A worker
that carries out a run holds a lease on it and renews it before each step. When it dies,
the lease runs out and any other worker takes over.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from cluster.lvs import words
from cluster.lvs.change import Change
from cluster.lvs.command import DEADLINE
from cluster.lvs.wish import ClusterWish
from cluster.lvs.words import Sentence
from cluster.models.clusters import Cluster, Host

# Longer than the usual deadline of a command (10 s) plus a connection (8 s).
LEASE = timedelta(seconds=20)


class RunState(models.TextChoices):
    """The last five are final."""

    PLANNING = "planning", _("planning")
    PLANNED = "planned", _("waiting for confirmation")
    QUEUED = "queued", _("confirmed, waiting for a worker")
    RUNNING = "running", _("applying")
    VERIFYING = "verifying", _("reading back")
    CONFIRMING = "confirming", _("applied, waiting for keep")
    RETURNING = "returning", _("undoing")
    CONVERGED = "converged", _("applied and verified")
    RETURNED = "returned", _("undone, as before")
    PARTIAL = "partial", _("partly applied")
    STALE = "stale", _("out of date, nothing was sent")
    REFUSED = "refused", _("no plan could be made")
    CANCELLED = "cancelled", _("cancelled")


WORKING = (
    RunState.RUNNING,
    RunState.VERIFYING,
    RunState.CONFIRMING,
    RunState.RETURNING,
)
WAITING = (RunState.PLANNING, RunState.QUEUED)
FINAL = (
    RunState.CONVERGED,
    RunState.RETURNED,
    RunState.PARTIAL,
    RunState.STALE,
    RunState.REFUSED,
    RunState.CANCELLED,
)


class RunQuerySet(models.QuerySet["Run"]):
    def unattended(self) -> RunQuerySet:
        """Return runs that should be worked on and are in nobody's hands."""
        return self.filter(
            Q(lease_until__isnull=True) | Q(lease_until__lt=Now()),
            Q(pause_until__isnull=True) | Q(pause_until__lt=Now()),
            state__in=[*WAITING, *WORKING],
        )

    def in_progress(self) -> RunQuerySet:
        return self.filter(state__in=[RunState.QUEUED, *WORKING])

    def claim(self, pk: int, owner: uuid.UUID) -> bool:
        """Take the run for *owner*; False when another worker has it."""
        taken = self.unattended().filter(pk=pk)
        return taken.update(lease_owner=owner, lease_until=Now() + LEASE) == 1

    def renew(self, pk: int, owner: uuid.UUID, deadline: float = DEADLINE) -> bool:
        """Keep the run for another lease; False when it was taken away meanwhile.

        *deadline* is that of the command to come: until it has passed, nobody else
        may look at the host and conclude that the command was not sent.
        """
        mine = self.filter(pk=pk, lease_owner=owner, lease_until__gte=Now())
        longer = timedelta(seconds=max(0.0, deadline - DEADLINE))
        return mine.update(lease_until=Now() + LEASE + longer) == 1

    def release(self, pk: int, owner: uuid.UUID) -> None:
        self.filter(pk=pk, lease_owner=owner).update(lease_until=None)


class Run(models.Model):
    """One plan for one cluster, from its making to its end.

    *wish* is what was to be reached, *observed* what each host had when the plan was
    made, *adds* what each host will have of ours. *account* is the list of sentences
    that tells how it ended, *cautions* the reasons for a second look. *scope* narrows
    it to some hosts or lines (``lvs.parts.Scope``), and *adopts* names services that
    were made by hand and are ours once it has converged.

    With *keep_seconds* (None: what the cluster has when it is planned) the hosts take
    the run back by themselves, from *keep_until* on, unless somebody keeps it before;
    nobody need look at the run before *pause_until*.
    """

    State = RunState

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="runs")
    state = models.CharField(max_length=12, choices=RunState, default=RunState.PLANNING)
    wish: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        default=dict
    )
    scope: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        default=dict
    )
    adopts: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    observed: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        default=dict
    )
    adds: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        default=dict
    )
    plan_hash = models.CharField(max_length=64, blank=True)
    cautions: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    account: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    planned_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    lease_owner = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    keep_seconds = models.PositiveIntegerField(null=True)
    keep_until = models.DateTimeField(null=True)
    kept_at = models.DateTimeField(null=True)
    kept_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    pause_until = models.DateTimeField(null=True)
    revision = models.ForeignKey(
        "cluster.Revision", models.SET_NULL, null=True, related_name="runs"
    )

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # One run per cluster at a time, kept by the database itself.
            models.UniqueConstraint(
                fields=["cluster"],
                condition=Q(
                    state__in=[
                        "queued",
                        "running",
                        "verifying",
                        "confirming",
                        "returning",
                    ]
                ),
                name="one_run_a_cluster",
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @cached_property
    def wanted(self) -> ClusterWish:
        """What was to be reached, as a value: it is fixed when the run is made."""
        return ClusterWish.from_json(self.wish)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_working(self) -> bool:
        return self.state in WORKING

    @property
    def account_sentences(self) -> list[Sentence]:
        return [words.from_json(item) for item in self.account]

    @property
    def caution_sentences(self) -> list[Sentence]:
        return [words.from_json(item) for item in self.cautions]

    def tell(self, sentences: Iterable[Sentence]) -> None:
        """Add to the account of how the run went; the caller saves."""
        self.account = [*self.account, *(s.as_json() for s in sentences)]


class StepState(models.TextChoices):
    PENDING = "pending", _("pending")
    SENT = "sent", _("sent, no answer yet")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("outcome unknown")
    SKIPPED = "skipped", _("not sent")
    UNDONE = "undone", _("undone")


class Step(models.Model):
    """One command of a run on one host. *undoes* names the step that it takes back.

    ``SENT`` is written, together with the intent in the audit log, before anything
    leaves for the host; a step that is still ``SENT`` when its worker has died is
    decided by looking at the host, never by sending the command again.
    """

    State = StepState

    run = models.ForeignKey(Run, models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    host = models.ForeignKey(Host, models.CASCADE, related_name="steps")
    change: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    undoes = models.ForeignKey(
        "self", models.CASCADE, null=True, related_name="undone_by"
    )
    state = models.CharField(max_length=8, choices=StepState, default=StepState.PENDING)
    exit_status = models.IntegerField(null=True)
    output = models.TextField(blank=True)
    trouble: models.JSONField[dict[str, Any] | None, dict[str, Any] | None] = (
        models.JSONField(null=True)
    )
    sent_at = models.DateTimeField(null=True)
    # Of the command itself: steps that were sent together have one sent_at.
    took = models.FloatField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "position"], name="step_position")
        ]

    def __str__(self) -> str:
        return f"{self.run} step {self.position} on {self.host}"

    @cached_property
    def value(self) -> Change:
        return Change.from_json(self.change)

    @property
    def trouble_sentence(self) -> Sentence | None:
        return words.from_json(self.trouble) if self.trouble else None

    @property
    def seconds(self) -> float | None:
        """How long the command took, None while it has not been answered."""
        if self.took is not None:
            return self.took
        if self.sent_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.sent_at).total_seconds()
