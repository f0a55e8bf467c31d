"""The audit log: append-only, chained, written by ``cluster.audit`` only."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEvent(models.Model):
    """Who did what, where, with which exact command, and what came of it.

    Names are copied, not linked: a row tells the same story after a host or a person
    is gone. *mac* chains the row to the one before, see ``audit.py``; triggers in the
    database refuse to change or delete a row.
    """

    class Action(models.TextChoices):
        SIGNED_IN = "signed_in", _("signed in")
        SIGN_IN_REFUSED = "sign_in_refused", _("sign-in refused")
        SIGNED_OUT = "signed_out", _("signed out")
        SET_UP = "set_up", _("first administrator made")
        PASSWORD = "password", _("password changed")
        CHANGED = "changed", _("wish changed")
        HOST = "host", _("host changed")
        PLANNED = "planned", _("plan made")
        CONFIRMED = "confirmed", _("plan confirmed")
        INTENT = "intent", _("command about to be sent")
        OUTCOME = "outcome", _("outcome of a command")
        ENDED = "ended", _("run ended")

    seq = models.BigIntegerField(unique=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=36, blank=True)
    action = models.CharField(max_length=16, choices=Action)
    cluster = models.CharField(max_length=64, blank=True)
    host = models.CharField(max_length=63, blank=True)
    object = models.CharField(max_length=120, blank=True)
    run = models.BigIntegerField(null=True)
    step = models.BigIntegerField(null=True)
    sentence: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    command = models.TextField(blank=True)
    stdin = models.TextField(blank=True)
    stdin_sha256 = models.CharField(max_length=64, blank=True)
    exit_status = models.IntegerField(null=True)
    output = models.TextField(blank=True)
    seconds = models.FloatField(null=True)
    text = models.TextField(editable=False)  # what the word search looks in
    mac = models.CharField(max_length=64)

    class Meta:
        ordering = ["-seq"]
        indexes = [
            models.Index(fields=["at"]),
            models.Index(fields=["run", "step"]),
            models.Index(fields=["host", "at"]),
            models.Index(fields=["actor", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"


class AuditHead(models.Model):
    """The newest link of the chain; locking this one row serialises all writers."""

    seq = models.BigIntegerField(default=0)
    mac = models.CharField(max_length=64, default="")

    def __str__(self) -> str:
        return f"{self.seq} {self.mac[:12]}"
