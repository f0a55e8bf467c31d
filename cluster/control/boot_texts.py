"""The texts of boot files that a plan is about to replace: asked for only then.

Whoever looks at a host asks for the digest of its boot file. The text, as long as the
table, is needed to send no more of a new one than what differs, and to come back.
"""

from __future__ import annotations

from dataclasses import replace

from cluster.control.observe import Observation, ask, side_by_side
from cluster.control.steps import Attendance
from cluster.control.trouble import record_trouble
from cluster.lvs import boot_file, facts
from cluster.lvs.plan import Plan
from cluster.lvs.words import Sentence
from cluster.models import Host
from cluster.remote.shell import RemoteError


def with_old_texts(
    plan: Plan, attendance: Attendance, hosts: list[Host], seen: Observation
) -> tuple[Plan, list[Sentence]]:
    """Return the plan with the least that can be sent to the boot files, and why hosts
    did not give away what they have."""
    replacing = {
        change.host
        for change in plan.changes
        if boot_file.replaces(change, seen.states[change.host].boot)
    }
    asked = [host for host in hosts if host.name in replacing]
    if not asked:
        return plan, []
    told = side_by_side(
        asked,
        attendance.connect,
        attendance.renew,
        lambda _host, shell: ask(shell, facts.BOOT_TEXT),
    )
    troubles = [record_trouble(h, e) for h, e in told if isinstance(e, RemoteError)]
    if troubles:
        return plan, troubles
    texts = {host.name: text for host, text in told if isinstance(text, str)}
    changes = [
        one
        for change in plan.changes
        for one in (
            boot_file.with_old_text(change, texts[change.host])
            if boot_file.replaces(change, seen.states[change.host].boot)
            else [change]
        )
    ]
    return replace(plan, changes=tuple(changes)), []
