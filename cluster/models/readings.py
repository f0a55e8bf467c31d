"""Counters over time, one packed row per director and tick, and who watches whom."""

from __future__ import annotations

from django.db import models

from cluster.models.clusters import Host


class Reading(models.Model):
    """All counters of one director at one moment, packed by ``cluster.watch``."""

    director = models.ForeignKey(Host, models.CASCADE, related_name="readings")
    at = models.DateTimeField()
    data = models.BinaryField()

    class Meta:
        ordering = ["at"]
        indexes = [models.Index(fields=["director", "at"])]

    def __str__(self) -> str:
        return f"{self.director} {self.at:%H:%M:%S}"


class WatchLease(models.Model):
    """Which worker watches a director; taken over when *until* has passed."""

    director = models.OneToOneField(Host, models.CASCADE, related_name="watch")
    owner = models.UUIDField(null=True)
    until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.director}: {self.owner}"
