"""Drains: a real server on its way out of its services, out, or on its way back.

The whole state is in these rows, see ``lvs/drain.py``; the tick rings for those that
are open. Who moves a row on does it under the condition that its *version* is still the
one that was read, so two workers never do the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from cluster.lvs import drain as states
from cluster.lvs import rules, words
from cluster.lvs.drain import Choice
from cluster.lvs.drained import Other
from cluster.lvs.table import IPAddress, Table
from cluster.lvs.words import Sentence
from cluster.models.clusters import Cluster
from cluster.models.runs import Run

State = states.State
FINAL = tuple(state.value for state in states.FINAL)
LONGEST_PATIENCE = timedelta(days=7)


class Moved(Exception):
    """Somebody else has moved the drain on meanwhile: nothing was done here."""


class DrainQuerySet(models.QuerySet["Drain"]):
    def open(self) -> DrainQuerySet:
        return self.exclude(state__in=FINAL)


class Drain(models.Model):
    """One real server and what shall happen to it; *kept* is what it had before.

    *kept* are rules as of ``ipvsadm -S``: the services of the drain, each with the
    records of this server. *patience* and *slow_start* are in seconds, *floor* is in
    percent. *reuse*: the first run also sets conn_reuse_mode, see ``port_reuse.py``.
    *seen* is what was counted last, *why* a sentence about what it waits for,
    *account* what has happened so far.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waits for room")
        QUIESCING = "quiescing", _("getting weight 0")
        DRAINING = "draining", _("draining")
        OVERDUE = "overdue", _("deadline passed, waits for you")
        REMOVING = "removing", _("being taken out")
        OUT = "out", _("out")
        RAISING = "raising", _("coming back")
        PAUSED = "paused", _("paused, waits for you")
        RESTORED = "restored", _("back")
        CANCELLED = "cancelled", _("cancelled, nothing was sent")
        ENDED = "ended", _("ended, left as it is")

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="drains")
    address = models.GenericIPAddressField(_("address"))
    name = models.CharField(max_length=63, blank=True)
    kept = models.TextField()
    floor = models.PositiveSmallIntegerField(
        _("floor"), default=50, validators=[MaxValueValidator(100)]
    )
    patience = models.PositiveIntegerField(default=600)
    cut = models.BooleanField(default=False)
    take_out = models.BooleanField(default=True)
    slow_start = models.PositiveIntegerField(default=0)
    reuse = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    interrupted = models.CharField(max_length=12, blank=True)
    since = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    deadline = models.DateTimeField(null=True)
    stairs = models.PositiveSmallIntegerField(default=1)
    level = models.PositiveSmallIntegerField(default=0)
    risen = models.BooleanField(default=False)
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="drains")
    tries = models.PositiveSmallIntegerField(default=0)
    seen: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        default=dict
    )
    why: models.JSONField[dict[str, Any] | None, dict[str, Any] | None] = (
        models.JSONField(null=True)
    )
    account: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    requested_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=0)

    objects = DrainQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # One open drain per real server, kept by the database itself.
            models.UniqueConstraint(
                fields=["cluster", "address"],
                condition=~Q(state__in=["restored", "cancelled", "ended"]),
                name="one_drain_a_server",
            )
        ]

    def __str__(self) -> str:
        return self.name or self.address

    @property
    def ip(self) -> IPAddress:
        return ip_address(self.address)

    @property
    def table(self) -> Table:
        return rules.parse(self.kept)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def value(self) -> states.Drain:
        """Return the drain as the core moves it on."""
        return states.Drain(
            state=State(self.state),
            choice=Choice(
                timedelta(seconds=self.patience),
                cut=self.cut,
                take_out=self.take_out,
                slow_start=timedelta(seconds=self.slow_start),
            ),
            since=self.since,
            started=self.started_at,
            deadline=self.deadline,
            interrupted=State(self.interrupted) if self.interrupted else None,
            stairs=self.stairs,
            level=self.level,
            risen=self.risen,
        )

    def move(self, after: states.Drain, why: Sentence | None, **more: Any) -> None:
        """Write the next state, if the row is still as it was read; raises Moved.

        The caller has a transaction around it and around what goes with it.
        """
        fields: dict[str, Any] = {
            "state": after.state.value,
            "interrupted": after.interrupted.value if after.interrupted else "",
            "since": after.since,
            "started_at": after.started,
            "deadline": after.deadline,
            "stairs": after.stairs,
            "level": after.level,
            "risen": after.risen,
            "why": why.as_json() if why else None,
            "version": self.version + 1,
            **more,
        }
        mine = type(self).objects.filter(pk=self.pk, version=self.version)
        if mine.update(**fields) != 1:
            raise Moved(f"drain {self.pk}")
        for name, value in fields.items():
            setattr(self, name, value)

    @property
    def why_sentence(self) -> Sentence | None:
        return words.from_json(self.why) if self.why else None

    @property
    def account_lines(self) -> list[tuple[datetime, Sentence]]:
        return [
            (datetime.fromisoformat(at), words.from_json(said))
            for at, said in self.account
        ]

    def told(self, now: datetime, said: Sentence) -> list[Any]:
        """Return the account with one more line, for :meth:`move`."""
        return [*self.account, [now.isoformat(), said.as_json()]]


def others(drains: Iterable[Drain]) -> list[Other]:
    """Return drains as the floor counts them."""
    return [Other(d.table, State(d.state) in states.AWAY) for d in drains]
