"""In what condition a host is, for pages: worked out from its row, worst first."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _
from cluster.models import Host


class Condition(Enum):
    """The first ones need a person soonest. Troubles are written by
    ``control.trouble``, the others follow from the row."""

    KEY_CHANGED = "key_changed"
    UNREACHABLE = "unreachable"
    LOGIN_REFUSED = "login_refused"
    NO_ANSWER = "no_answer"
    RIGHTS_MISSING = "rights_missing"
    INCOMPLETE = "incomplete"
    KEY_NOT_ACCEPTED = "key_not_accepted"
    NEVER_LOOKED_AT = "never_looked_at"
    OK = "ok"

    @property
    def rank(self) -> int:
        return list(Condition).index(self)


def condition_of(host: Host) -> Condition:
    """Return the worst thing that is known of the host.

    A host without an accepted key is new: what could not be reached yet is no fault.
    """
    if not host.host_key:
        return Condition.KEY_NOT_ACCEPTED
    if host.trouble:
        return Condition(host.trouble["kind"])
    if not host.facts_at:
        return Condition.NEVER_LOOKED_AT
    if host.facts.get("missing"):
        return Condition.INCOMPLETE
    if any(not right["allowed"] for right in host.facts.get("rights", [])):
        return Condition.RIGHTS_MISSING
    return Condition.OK


def since(host: Host) -> datetime | None:
    """Return since when the host is in its condition, None when that is not known."""
    condition = condition_of(host)
    if condition in (Condition.RIGHTS_MISSING, Condition.INCOMPLETE):
        return host.trouble_at or host.facts_at
    if condition is Condition.NEVER_LOOKED_AT:
        return host.accepted_at
    return host.trouble_at


def reasons_to_stay(host: Host) -> list[Sentence]:
    """Return why the host cannot be removed now; empty when it can."""
    found = []
    services = sorted({str(s.service) for s in host.serves.select_related("service")})
    if services:
        found.append(_("It is a real server of {services}.", services=listed(services)))
    cluster = host.cluster
    if cluster.director_id == host.pk and cluster.services.exists():
        found.append(_("It is the active director of {cluster}.", cluster=cluster))
    if host.left_behind:
        found.append(_("Something of ours is still on it: apply its removal first."))
    if cluster.runs.in_progress().exists():
        found.append(_("A run of its cluster is in progress."))
    return found
