"""In what condition a host is, for pages: worked out from its row, worst first."""

from __future__ import annotations

from enum import Enum

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
