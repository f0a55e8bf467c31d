"""Why a host cannot be used: written here, by whoever meets it, and read by pages.

``Host.trouble`` is the JSON of a Sentence (what failed, where, what was not done)
with two more keys: ``kind``, a value of ``Condition``, and ``advice``, a Sentence.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from cluster import audit
from cluster.host_condition import Condition
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import Host, HostEvent
from cluster.remote.shell import (
    HostKeyChanged,
    HostKeyUnknown,
    LoginRefused,
    NothingSent,
    OutcomeUnknown,
    RemoteError,
    Unreachable,
)

# What a failure means for the host; the first match wins, subclasses come first.
KINDS: tuple[tuple[type[RemoteError], Condition], ...] = (
    (HostKeyUnknown, Condition.KEY_NOT_ACCEPTED),
    (HostKeyChanged, Condition.KEY_CHANGED),
    (LoginRefused, Condition.LOGIN_REFUSED),
    (Unreachable, Condition.UNREACHABLE),
    (RemoteError, Condition.NO_ANSWER),
)
# sudo says one of these when its file does not allow the command (LC_ALL=C).
SUDO_REFUSES = ("a password is required", "is not allowed to", "may not run sudo")


def record_trouble(host: Host, error: RemoteError) -> Sentence:
    """Write down that *host* cannot be used, and return the sentence that says why.

    The time is that of the first failure of this kind. Only the columns of the
    trouble are written: *host* may be older than its row.
    """
    sentence, kind = told(error), kind_of(error)
    trouble = sentence.as_json() | {
        "kind": kind.value,
        "advice": advice(host, error, kind).as_json(),
    }
    with transaction.atomic():
        row = Host.objects.select_for_update().filter(pk=host.pk)
        found = row.values("trouble", "trouble_at", "offered_key").first()
        if found is None:
            return sentence  # removed meanwhile
        before: dict[str, Any] = dict(found)
        old = before["trouble"]
        same = old is not None and old["kind"] == kind.value
        since = before["trouble_at"] if same else timezone.now()
        fields: dict[str, Any] = {"trouble": trouble, "trouble_at": since}
        if isinstance(error, HostKeyChanged):
            fields["offered_key"] = error.found.line if error.found else ""
        if any(before[name] != value for name, value in fields.items()):
            row.update(**fields)
        if kind is Condition.KEY_CHANGED and not same:
            _alarm(host, sentence)
        if kind is Condition.UNREACHABLE and not same:
            _befell(host, HostEvent.Kind.LOST, since)
    for name, value in fields.items():
        setattr(host, name, value)
    return sentence


def clear_trouble(host: Host) -> None:
    """The host answered: what was wrong before is over. A key offered by whoever
    stood in its place goes too, because the host has just proved the accepted one."""
    with transaction.atomic():
        row = Host.objects.select_for_update().filter(pk=host.pk)
        old = row.values_list("trouble", flat=True).first()
        if old is not None:
            row.update(trouble=None, trouble_at=None, offered_key="")
            if old["kind"] == Condition.UNREACHABLE.value:
                _befell(host, HostEvent.Kind.BACK, timezone.now())
    host.trouble, host.trouble_at = None, None


def kind_of(error: RemoteError) -> Condition:
    if any(words in str(error) for words in SUDO_REFUSES):
        return Condition.RIGHTS_MISSING
    if "command not found" in str(error):
        return Condition.INCOMPLETE
    return next(kind for error_type, kind in KINDS if isinstance(error, error_type))


def told(error: RemoteError) -> Sentence:
    """Return what failed, where, and what was not done."""
    if isinstance(error, HostKeyChanged):
        return _changed(error)
    if isinstance(error, NothingSent):
        return _("{reason} Nothing was sent.", reason=str(error))
    if isinstance(error, OutcomeUnknown):
        return _("{reason} It will be looked at again.", reason=str(error))
    return _("{reason}", reason=str(error))


def _changed(error: HostKeyChanged) -> Sentence:
    if error.found is None:
        return _(
            "{host} no longer shows a host key of the type {type}; accepted was"
            " {expected}. Nothing was sent, not even the name of the user.",
            host=error.host,
            type=error.expected.type,
            expected=error.expected.fingerprint,
        )
    return _(
        "{host} shows another host key: {found}; accepted was {expected}."
        " Nothing was sent, not even the name of the user.",
        host=error.host,
        found=error.found.fingerprint,
        expected=error.expected.fingerprint,
    )


def advice(host: Host, error: RemoteError, kind: Condition) -> Sentence:
    """Return what a person can do about it."""
    if isinstance(error, HostKeyChanged):
        return _(
            "Either {host} was installed anew, or another machine answers in its"
            " place. Compare the fingerprint on the console of {host}, and accept the"
            " new key only when it is the same. Until then this host is left alone.",
            host=host.name,
        )
    if kind is Condition.KEY_NOT_ACCEPTED:
        return _(
            "Compare the fingerprint of {host} on its console and accept it.",
            host=host.name,
        )
    if kind is Condition.LOGIN_REFUSED:
        return _(
            "Put the public key into ~{user}/.ssh/authorized_keys on {host}; the file"
            " belongs to {user} and has mode 600, its directory 700.",
            user=host.ssh_user,
            host=host.name,
        )
    if kind is Condition.UNREACHABLE:
        return _(
            "See whether {host} is up, whether sshd listens at {address} port {port},"
            " and whether a firewall stands between.",
            host=host.name,
            address=host.ssh_address,
            port=host.ssh_port,
        )
    if kind is Condition.RIGHTS_MISSING:
        return _(
            "Install the sudoers file for this role again. It needs sudo 1.9.10 or"
            " newer: an older sudo takes its regular expressions for plain words and"
            " refuses every command."
        )
    if kind is Condition.INCOMPLETE:
        return _(
            "Install what is missing on {host}; its page has the commands to copy.",
            host=host.name,
        )
    return _("Look at {host} again; if it stays, log in and try the command by hand.",
             host=host.name)  # fmt: skip


def _alarm(host: Host, sentence: Sentence) -> None:
    audit.append(
        audit.Actor(),
        audit.Action.HOST,
        sentence,
        cluster=host.cluster.name,
        host=host.name,
        object=host.name,
    )


def _befell(host: Host, kind: HostEvent.Kind, at: datetime) -> None:
    """Leave a mark on the time line of the graphs."""
    HostEvent.objects.bulk_create(
        [HostEvent(host=host, at=at, kind=kind)], ignore_conflicts=True
    )
