"""Counters over time, packed, and who watches whom."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from cluster.models.clusters import Host


class Reading(models.Model):
    """All rows of one director at one moment, packed by ``watch/packing.py``.

    It lives for minutes: then ``watch/rollup.py`` makes history of it. *at* is in
    seconds since 1970, by our clock.
    """

    director = models.ForeignKey(Host, models.CASCADE, related_name="readings")
    at = models.FloatField()
    data = models.BinaryField()

    class Meta:
        ordering = ["at"]
        indexes = [models.Index(fields=["director", "at"])]

    def __str__(self) -> str:
        return f"{self.director} {self.at:.1f}"


class HistoryChunk(models.Model):
    """A stretch of history of one group of series, see ``watch/levels.py``.

    *start* is in seconds since 1970; *group* is a service, ``""`` for the whole
    director or ``"="`` for its real servers, each in all services.
    """

    director = models.ForeignKey(Host, models.CASCADE, related_name="history")
    group = models.CharField(max_length=128)
    level = models.PositiveSmallIntegerField()
    start = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["director", "group", "level", "start"], name="history_chunk"
            )
        ]
        indexes = [models.Index(fields=["director", "level", "start"])]

    def __str__(self) -> str:
        return f"{self.director} {self.group or 'whole'} {self.level} {self.start}"


class HistoryMark(models.Model):
    """How far the readings of a director are rolled up, in seconds since 1970.

    *folds* grows with each roll-up: who has read an older number has come too late.
    *boot* is the number of the last boot that was seen, see ``watch/packing.py``.
    """

    director = models.OneToOneField(Host, models.CASCADE, related_name="history_mark")
    until = models.BigIntegerField(default=0)
    folds = models.BigIntegerField(default=0)
    boot = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.director} until {self.until}"


class HostEvent(models.Model):
    """What befell a host by itself: marks on the time line of the graphs."""

    class Kind(models.TextChoices):
        LOST = "lost", _("could not be reached")
        BACK = "back", _("answers again")
        REBOOTED = "rebooted", _("has booted")

    host = models.ForeignKey(Host, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=Kind)

    class Meta:
        ordering = ["at"]
        constraints = [
            # Rolled up twice or told by two workers, it is still one event.
            models.UniqueConstraint(
                fields=["host", "at", "kind"], name="one_host_event"
            )
        ]

    def __str__(self) -> str:
        return f"{self.host} {self.kind} {self.at:%H:%M:%S}"


class WatchLease(models.Model):
    """Which worker watches a director; taken over when *until* has passed."""

    director = models.OneToOneField(Host, models.CASCADE, related_name="watch")
    owner = models.UUIDField(null=True)
    until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.director}: {self.owner}"
