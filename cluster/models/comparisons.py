"""What differed on each host when it was read last, and when it is read next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from cluster.models.clusters import Cluster, Host, HostRole
from cluster.models.runs import WORKING, RunState

# Those that a revision is about; a client to test from is read, too, and not compared.
ROLES = (HostRole.DIRECTOR, HostRole.REAL_SERVER)
# Longer than a slow host can take: a reading that did not end by then is done anew.
READING = timedelta(minutes=2)
LONGEST_WAIT = timedelta(minutes=10)


def period() -> timedelta:
    return timedelta(seconds=settings.OBSERVE_SECONDS)


class ComparisonQuerySet(models.QuerySet["Comparison"]):
    def due(self) -> ComparisonQuerySet:
        """Return rows of hosts to read now: not while a run changes their cluster."""
        busy = Cluster.objects.filter(runs__state__in=[RunState.QUEUED, *WORKING])
        asked = self.exclude(host__host_key="").exclude(host__cluster__in=busy)
        return asked.filter(due_at__lte=timezone.now())

    def claim(self, cluster: Cluster) -> set[int]:
        """Take the hosts of a cluster that are due; each goes to one worker only."""
        taken = set()
        for pk in self.due().filter(host__cluster=cluster).values_list("pk", flat=True):
            now = timezone.now()
            mine = self.filter(pk=pk, due_at__lte=now)
            if mine.update(due_at=now + READING):
                taken.add(pk)
        return taken


class Comparison(models.Model):
    """One host against the newest revision. Pages read it, ``control.drift`` writes it.

    *differences* are the first of *count* lines that are not as wished, ``{"key",
    "since", "told", "change", "adoptable"}``; *foreign* services that are not ours,
    ``{"key", "since"}``; *unknown* says why nothing can be said. *misses* counts readings that
    failed in a row.
    """

    host = models.OneToOneField(
        Host, models.CASCADE, related_name="comparison", primary_key=True
    )
    due_at = models.DateTimeField(default=timezone.now)
    misses = models.PositiveSmallIntegerField(default=0)
    at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(null=True)
    count = models.PositiveIntegerField(default=0)
    differences: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    foreign: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    unknown: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    boot_id = models.CharField(max_length=64, blank=True)
    rebooted_at = models.DateTimeField(null=True)

    objects = ComparisonQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return f"{self.host}: {self.count}"

    def next_after(self, *, failed: bool) -> datetime:
        """Return when to read again; a host in trouble is asked ever more seldom."""
        self.misses = min(self.misses + 1, 10) if failed else 0
        wait: timedelta = period() * 2**self.misses
        return timezone.now() + min(wait, max(LONGEST_WAIT, period()))
