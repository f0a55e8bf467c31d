"""The words of state: each has one shape, one word, one tone and one meaning.

Shape + word + colour always come together, so that nobody has to tell red from
green. Tones are the classes ``tone-*`` of static/css/parts.css.
"""

from enum import Enum
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class State(NamedTuple):
    word: str | Promise
    icon: str
    tone: str
    meaning: str | Promise


# Objects: clusters, hosts, virtual services, real servers.
OBJECTS = {
    "UP": State(_("UP"), "circle-check", "up", _("Works as it should")),
    "DOWN": State(_("DOWN"), "square-x", "bad", _("Does not answer")),
    "DRAINING": State(
        _("DRAINING"), "hourglass", "warn", _("Weight 0: old connections go on")
    ),
    "DISABLED": State(
        _("DISABLED"), "circle-minus", "mute", _("Taken out of the table on purpose")
    ),
    "UNKNOWN": State(
        _("UNKNOWN"), "help-circle", "warn", _("No news for more than three periods")
    ),
    "DRIFT": State(_("DRIFT"), "diamond", "drift", _("Live is not what is wanted")),
    "PENDING": State(_("PENDING"), "pencil", "brand", _("Changed, not yet applied")),
    "MAINTENANCE": State(
        _("MAINTENANCE"), "tool", "mute", _("Silenced until an end time")
    ),
}

# Rows of the kernel's table. Nobody has asked the real server yet whether it works:
# that it is listed is all that is known, and it is not green.
ROWS = {
    "LISTED": State(
        _("ACTIVE"), "circle-dot", "brand", _("In the kernel; health is not checked")
    ),
    "NOT_LISTENING": State(
        _("NOT LISTENING"),
        "alert-triangle",
        "warn",
        _("No daemon takes what comes there, as the real server was read last"),
    ),
    "FOREIGN": State(
        _("NOT OURS"), "eye", "mute", _("In the kernel, but not put there by us")
    ),
    "EMPTY": State(
        _("NO SERVICE"), "circle-dashed", "mute", _("The director balances nothing yet")
    ),
}

# Directors.
DIRECTORS = {
    "ACTIVE": State(_("ACTIVE"), "crown", "up", _("Holds the VIP")),
    "STANDBY": State(_("STANDBY"), "shield-half", "mute", _("Ready to take the VIP")),
    "UNREACHABLE": State(_("UNREACHABLE"), "unlink", "bad", _("SSH does not answer")),
}

# Hosts: the values of cluster.host_condition.Condition.
HOSTS = {
    "OK": State(_("OK"), "circle-check", "up", _("Reachable, with all rights")),
    "KEY_CHANGED": State(
        _("KEY CHANGED"),
        "fingerprint",
        "bad",
        _("Shows another host key than the accepted one; nothing is sent to it"),
    ),
    "LOGIN_REFUSED": State(
        _("LOGIN REFUSED"), "lock", "bad", _("Does not let our user in with our key")
    ),
    "NO_ANSWER": State(
        _("NO ANSWER"), "alert-triangle", "warn", _("Answers SSH, but not a question")
    ),
    "RIGHTS_MISSING": State(
        _("RIGHTS MISSING"), "lock", "warn", _("sudo refuses what the role needs")
    ),
    "INCOMPLETE": State(
        _("INCOMPLETE"), "tool", "warn", _("A program that the role needs is missing")
    ),
    "KEY_NOT_ACCEPTED": State(
        _("KEY NOT ACCEPTED"), "key", "brand", _("Its fingerprint waits for your yes")
    ),
    "NEVER_LOOKED_AT": State(
        _("NOT LOOKED AT"), "circle-dashed", "brand", _("Nothing is known of it yet")
    ),
}

# Hosts and clusters against the newest revision: the values of cluster.standing.
STANDINGS = {
    "in_sync": State(
        pgettext_lazy("standing", "in sync"),
        "equal",
        "up",
        _("Every host is as the newest revision wants it"),
    ),
    "differs": State(
        pgettext_lazy("standing", "differs"),
        "diamond",
        "drift",
        _("A host is not as the newest revision wants it"),
    ),
    "rebooted": State(
        pgettext_lazy("standing", "rebooted"),
        "refresh",
        "drift",
        _("Started again, and not everything of ours came back"),
    ),
    "not_known": State(
        pgettext_lazy("standing", "not known"),
        "help-circle",
        "warn",
        _("Could not be read and compared"),
    ),
}

# Runs.
RUNS = {
    "PLANNING": State(
        _("PLANNING"), "search", "brand", _("Reading the hosts and computing the plan")
    ),
    "PLANNED": State(_("PLANNED"), "list-check", "brand", _("Waits for your yes")),
    "QUEUED": State(_("QUEUED"), "clock", "brand", _("Waits for a worker")),
    "RUNNING": State(
        _("RUNNING"), "player-play", "brand", _("Commands are being sent")
    ),
    "VERIFYING": State(
        _("VERIFYING"), "eye", "brand", _("Reading the hosts again to compare")
    ),
    "CONFIRMING": State(
        _("CONFIRMING"), "hourglass", "warn", _("Applied, and taken back unless kept")
    ),
    "RETURNING": State(
        _("RETURNING"), "arrows-diff", "warn", _("Taking back what was done")
    ),
    "CONVERGED": State(
        _("CONVERGED"), "circle-check", "up", _("The hosts are as they should be")
    ),
    "RETURNED": State(
        _("RETURNED"), "arrow-back-up", "warn", _("The state from before is back")
    ),
    "PARTIAL": State(
        _("PARTIAL"), "alert-triangle", "warn", _("Some steps are done, some are not")
    ),
    "FAILED": State(_("FAILED"), "alert-circle", "bad", _("Ended with an error")),
    "STALE": State(
        _("STALE"), "refresh", "warn", _("The hosts have changed since the plan")
    ),
    "REFUSED": State(
        _("REFUSED"), "alert-hexagon", "warn", _("No plan could be made, nothing sent")
    ),
    "CANCELLED": State(_("CANCELLED"), "ban", "mute", _("Stopped by a person")),
}

# Drains; DRAINING is the state of the real server too.
DRAINS = {
    "WAITING": State(
        _("WAITING"), "clock", "brand", _("Begins when other real servers are back")
    ),
    "QUIESCING": State(
        _("QUIESCING"), "hourglass", "brand", _("A run is setting weight 0")
    ),
    "OVERDUE": State(
        _("OVERDUE"), "alert-triangle", "warn", _("Deadline passed, waits for you")
    ),
    "REMOVING": State(
        _("REMOVING"), "circle-minus", "brand", _("A run is taking it out")
    ),
    "OUT": State(_("OUT"), "tool", "mute", _("Free for maintenance")),
    "RAISING": State(
        _("COMING BACK"), "progress", "brand", _("Its weight is on its way up")
    ),
    "PAUSED": State(
        _("PAUSED"), "player-pause", "warn", _("Not as expected, waits for you")
    ),
    "RESTORED": State(_("BACK"), "circle-check", "up", _("Has its old weight again")),
    "ENDED": State(_("ENDED"), "circle-minus", "mute", _("Left as it is")),
}

# Steps of a run, in small letters: they stand in a sentence of the log.
STEPS = {
    "pending": State(
        pgettext_lazy("step", "pending"), "circle-dashed", "mute", _("Not sent yet")
    ),
    "sent": State(
        pgettext_lazy("step", "sent"), "send", "brand", _("Sent, no answer yet")
    ),
    "done": State(
        pgettext_lazy("step", "done"), "circle-check", "up", _("Done and acknowledged")
    ),
    "failed": State(
        pgettext_lazy("step", "failed"), "alert-circle", "bad", _("The host refused it")
    ),
    "unknown": State(
        pgettext_lazy("step", "unknown"),
        "help-circle",
        "warn",
        _("Sent, but the outcome could not be read"),
    ),
    "skipped": State(
        pgettext_lazy("step", "skipped"),
        "player-skip-forward",
        "mute",
        _("Not sent, because an earlier step failed"),
    ),
    "undone": State(
        pgettext_lazy("step", "undone"), "arrow-back-up", "warn", _("Done, then undone")
    ),
}

STATES: dict[str, State] = (
    OBJECTS | ROWS | DIRECTORS | HOSTS | STANDINGS | RUNS | DRAINS | STEPS
)


def state_of(value: object) -> State:
    """Return the state for a word or an enum member, in any case.

    The exact spelling wins (``"failed"`` is a step, ``"FAILED"`` a run); a word
    that is not in the table is shown as it is, never dropped.
    """
    key = str(value.value if isinstance(value, Enum) else value)
    for spelling in (key, key.upper(), key.lower()):
        if spelling in STATES:
            return STATES[spelling]
    return State(key, "circle-dot", "mute", "")
