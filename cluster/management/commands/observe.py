"""Ask every host what it has, and show what differs from what was applied last.

Nothing on any host is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from cluster.control.comparing import keep
from cluster.control.drift import Drift
from cluster.control.observe import Observation, observe_all
from cluster.lvs import rules
from cluster.lvs.host import HostState
from cluster.management import attendance
from cluster.management.base import Answer, ClusterCommand
from cluster.management.output import (
    SIGNS,
    STYLES,
    Exit,
    change_document,
    spoken,
)
from cluster.models import Cluster, Host


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a cluster at one moment."""

    hosts: Sequence[Host]
    seen: Observation
    drift: Drift
    revision: int | None

    @property
    def exit(self) -> Exit:
        if self.seen.troubles or len(self.seen.states) < len(self.hosts):
            return Exit.PARTIAL
        if self.drift.unknown and self.revision is not None:
            return Exit.PARTIAL
        return Exit.CHANGES if self.drift.repairs else Exit.DONE


class Command(ClusterCommand):
    help = __doc__ or ""

    def answer(self, cluster: Cluster, options: dict[str, Any]) -> Answer:
        hosts = list(cluster.hosts.select_related("credential", "cluster"))
        trusted = [host for host in hosts if host.host_key]
        began = timezone.now()
        seen = observe_all(trusted, attendance.connect, lambda: None)
        newest = cluster.revisions.first()
        found = keep(cluster, hosts, seen, since=began)
        look = Look(hosts, seen, found, newest.number if newest else None)
        for host in hosts:
            self._show(look, host)
        for sentence in found.unknown:
            self.output.line(spoken(sentence))
        if not found.repairs and not found.unknown and look.exit is Exit.DONE:
            text = _("Every host is as revision %(number)s wants it.")
            self.output.line(text % {"number": look.revision}, "green")
        return Answer(look.exit, (), _document(look))

    def _show(self, look: Look, host: Host) -> None:
        title = f"{host.name} · {host.get_role_display()} · {host.address}"
        self.output.line(title, "bold")
        state = look.seen.states.get(host.name)
        if state is None:
            self.output.line("  " + _trouble(look, host), "red")
            return
        for line in _facts(state):
            self.output.line("  " + line)
        for at in look.drift.foreign.get(host.name, []):
            self.output.line("  " + _("not made here: %(at)s") % {"at": at}, "dim")
        for change in look.drift.repairs.get(host.name, []):
            for sentence in change.sentences:
                text = f"  {SIGNS[change.mark]} {spoken(sentence)}"
                self.output.line(text, STYLES[change.mark])


def _trouble(look: Look, host: Host) -> str:
    trouble = look.seen.troubles.get(host.name)
    return spoken(trouble) if trouble else _("Its host key was not accepted yet.")


def _facts(state: HostState) -> list[str]:
    lines = [f"{bound} {bound.label}" for bound in state.addresses]
    lines += [f"route {route.destination} dev {route.device}" for route in state.routes]
    lines += [f"{key} = {value}" for key, value in state.sysctls]
    lines += rules.render(state.table).splitlines()
    unknown = _("not understood: %(line)s")
    return lines + [unknown % {"line": line} for line in state.table.unknown]


def _document(look: Look) -> dict[str, Any]:
    return {
        "revision": look.revision,
        "unknown": [str(sentence) for sentence in look.drift.unknown],
        "hosts": [_host_document(look, host) for host in look.hosts],
    }


def _host_document(look: Look, host: Host) -> dict[str, Any]:
    state = look.seen.states.get(host.name)
    foreign = look.drift.foreign.get(host.name, [])
    return {
        "name": host.name,
        "role": host.role,
        "address": host.address,
        "trouble": None if state else _trouble(look, host),
        "state": _state_document(state) if state else None,
        "not_ours": [str(at) for at in foreign],
        "drift": [
            change_document(change) for change in look.drift.repairs.get(host.name, [])
        ],
    }


def _state_document(state: HostState) -> dict[str, Any]:
    return {
        "boot_id": state.boot_id,
        "addresses": [
            {"device": b.device, "address": str(b.interface), "label": b.label}
            for b in state.addresses
        ],
        "routes": [
            {"destination": r.destination, "device": r.device} for r in state.routes
        ],
        "sysctls": dict(state.sysctls),
        "rules": rules.render(state.table).splitlines(),
        "not_understood": list(state.table.unknown),
    }
