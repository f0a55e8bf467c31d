"""All hosts, and one host: what it is, has, may and lacks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from cluster import audit, errands, tasks, unheard
from cluster.audit import Action, Actor
from cluster.errands import Errand, Progress
from cluster.forms.host import HostForm
from cluster.host_condition import Condition, condition_of, reasons_to_stay, since
from cluster.lvs import boot_place
from cluster.lvs.host import BoundAddress, HostState
from cluster.lvs.host_facts import fingerprint
from cluster.lvs.host_setup import print_fingerprint
from cluster.lvs.ipvs_sysctls import CATALOGUE
from cluster.lvs.real_server import ARP_SYSCTLS, TUNNEL_SYSCTLS, inner_vips
from cluster.lvs.settings import SyncDaemon
from cluster.lvs.settings_plan import described
from cluster.lvs.words import Sentence, say
from cluster.models import AuditEvent, Cluster, Host
from cluster.standing import HostStanding, of_host
from cluster.unheard import Unheard
from cluster.views.access import administrator_required
from cluster.views.request import PersonRequest

RECENT = 20


@dataclass(frozen=True, slots=True)
class HostLine:
    """One line of the list."""

    host: Host
    condition: Condition
    since: datetime | None
    standing: HostStanding | None
    unheard: tuple[Unheard, ...]

    @classmethod
    def of(cls, host: Host) -> HostLine:
        silent = unheard.of_host(host) or ()
        return cls(host, condition_of(host), since(host), of_host(host), silent)

    @property
    def system(self) -> str:
        return str(self.host.facts.get("os", {}).get("name", ""))

    def matches(self, words: str) -> bool:
        """Say whether every word is somewhere in the line."""
        host = self.host
        own = map(str, host.addresses)
        parts = [host.name, *own, host.ssh_address, self.system]
        text = " ".join(parts).lower()
        return all(word in text for word in words.lower().split())

    def sort_key(self, column: str) -> Any:
        if column == "name":
            return self.host.name
        if column == "address":
            first = self.host.addresses[0]
            return (first.version, int(first))
        if column == "seen":
            return -self.host.seen_at.timestamp() if self.host.seen_at else 0
        return (self.condition.rank, self.host.role, self.host.name)


SORTS = ("state", "name", "address", "seen")


@require_safe
def hosts(request: HttpRequest) -> HttpResponse:
    """List all hosts by cluster, those first that need a person."""
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "state"
    rows = Host.objects.select_related("cluster", "comparison")
    everything = [HostLine.of(host) for host in rows.defer("comparison__differences")]
    shown = [line for line in everything if _is_wanted(line, request)]
    context = {
        "groups": _by_cluster(shown, sort),
        "total": len(everything),
        "shown": len(shown),
        "sort": sort,
        "roles": Host.Role.choices,
        "conditions": [
            condition
            for condition in Condition
            if any(line.condition is condition for line in everything)
        ],
        "clusters": Cluster.objects.only("name", "slug"),
    }
    return render(request, "cluster/hosts.html", context)


def _is_wanted(line: HostLine, request: HttpRequest) -> bool:
    wanted = request.GET.get
    return (
        wanted("role", "") in ("", line.host.role)
        and wanted("state", "") in ("", line.condition.value)
        and wanted("cluster", "") in ("", line.host.cluster.slug)
        and line.matches(wanted("q", "")[:200])
    )


def _by_cluster(
    lines: list[HostLine], sort: str
) -> list[tuple[Cluster, list[HostLine]]]:
    """Return clusters with their lines; the cluster with the worst host is first."""
    groups: dict[Cluster, list[HostLine]] = {}
    for line in sorted(lines, key=lambda line: line.sort_key(sort)):
        groups.setdefault(line.host.cluster, []).append(line)

    def worst(item: tuple[Cluster, list[HostLine]]) -> tuple[int, str]:
        return min(line.condition.rank for line in item[1]), item[0].name

    return sorted(groups.items(), key=worst)


@require_safe
def host(request: PersonRequest, pk: int) -> HttpResponse:
    shown = _host(pk)
    context = host_context(shown) | {
        "left": shown.left_behind,
        "state": shown.state,
        "boot_file": boot_place.BOOT_FILE,
        "install_units": boot_place.install(shown.ssh_user),
        "ipvs": _ipvs(shown.state) if shown.is_director else None,
        "unheard": unheard.of_host(shown),
        "arp": _arp(shown.state) if shown.role == Host.Role.REAL_SERVER else None,
        "reasons_to_stay": reasons_to_stay(shown),
    }
    if request.user.may_operate:
        events = AuditEvent.objects.filter(host=shown.name, cluster=shown.cluster.name)
        context["events"] = events[:RECENT]
    return render(request, "cluster/host.html", context)


def host_context(shown: Host) -> dict[str, Any]:
    """Return what every page about one host shows."""
    return {
        "host": shown,
        "condition": condition_of(shown),
        "since": since(shown),
        "standing": of_host(shown),
        "looking": errands.progress(Errand.LOOK, shown.pk),
        "fetching": errands.progress(Errand.FETCH_KEY, shown.pk),
        "fingerprint": fingerprint(shown.host_key) if shown.host_key else "",
        "offered": fingerprint(shown.offered_key) if shown.offered_key else "",
        "compare": print_fingerprint(shown.offered_key or shown.host_key),
        "WAITING": Progress.WAITING,
        "OVERDUE": Progress.OVERDUE,
    }


@dataclass(frozen=True, slots=True)
class Ipvs:
    """What the IPVS of a director is set to."""

    timeouts: str
    daemons: tuple[SyncDaemon, ...]
    sysctls: list[tuple[str, str]]
    unusual: list[tuple[str, str, str]]


def _ipvs(state: HostState | None) -> Ipvs | None:
    if not state:
        return None
    now = dict(state.sysctls)
    found = [(one, now[one.key]) for one in CATALOGUE if one.key in now]
    return Ipvs(
        described(state.settings.timeouts),
        state.settings.daemons,
        [(one.name, value) for one, value in found],
        [
            (one.name, value, one.default)
            for one, value in found
            if one.default and value != one.default
        ],
    )


@dataclass(frozen=True, slots=True)
class Arp:
    """Whether a real server keeps silent about the VIPs on lo and tunl0."""

    vips: tuple[BoundAddress, ...]
    sysctls: tuple[tuple[str, str, str, bool], ...]

    @property
    def silent(self) -> bool:
        return all(enough for *_rest, enough in self.sysctls)


def _arp(state: HostState | None) -> Arp | None:
    if not state:
        return None
    now, vips = dict(state.sysctls), inner_vips(state)
    devices = {"all", *(bound.device for bound in vips)} if vips else {"all", "lo"}
    rows = (
        (key, now.get(key, ""), wanted, now.get(key, "") >= wanted)
        for key, wanted in (dict(ARP_SYSCTLS) | dict(TUNNEL_SYSCTLS)).items()
        if "arp_" in key and key.split(".")[-2] in devices
    )
    return Arp(vips, tuple(rows))


@require_POST
@administrator_required
def look(request: PersonRequest, pk: int) -> HttpResponse:
    """Ask a worker to look at the host again."""
    begin_look(_host(pk))
    return redirect((request.POST.get("next") == "rights" and "cluster:host_rights")
                    or "cluster:host", pk)  # fmt: skip


def begin_look(shown: Host) -> None:
    """Ring for a worker; robust, because without a broker the next tick makes up."""
    if errands.begin(Errand.LOOK, shown.pk):
        ring = partial(tasks.look_at_host.delay, shown.pk)
        transaction.on_commit(ring, robust=True)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator_required
def edit(request: PersonRequest, pk: int) -> HttpResponse:
    shown = _host(pk)
    bound = shown.serves.exists() or bool(shown.left_behind)
    form = HostForm(request.POST or None, instance=shown, bound=bound)
    if not form.is_valid():
        context = {"form": form, "host": _host(pk)}
        status = 422 if form.is_bound else 200
        return render(request, "cluster/host_edit.html", context, status=status)
    with transaction.atomic():
        form.save()
        text = say("Changed how {host} is reached: {user}@{address} port {port}",
                   host=shown.name, user=shown.ssh_user, address=shown.ssh_address,
                   port=shown.ssh_port)  # fmt: skip
        audit_host(request, shown, text)
        if shown.host_key:
            begin_look(shown)
    return redirect("cluster:host", pk)


@require_POST
@administrator_required
def remove(request: PersonRequest, pk: int) -> HttpResponse:
    """Forget the host, unless something depends on it; nothing is sent to it."""
    shown = _host(pk)
    reasons: list[Sentence] = reasons_to_stay(shown)
    if reasons or request.POST.get("confirm") != shown.name:
        text = _("%(host)s was not removed.") % {"host": shown.name}
        messages.error(request, text)
        return redirect("cluster:host", pk)
    with transaction.atomic():
        audit_host(request, shown, say("Removed host {host}", host=shown.name))
        credential = shown.credential
        shown.delete()
        if not credential.hosts.exists():
            credential.delete()
    text = _("%(host)s is removed. Its user and sudoers file are still on it.")
    messages.success(request, text % {"host": shown.name})
    return redirect("cluster:hosts")


def audit_host(request: HttpRequest, shown: Host, text: Sentence) -> None:
    audit.append(
        Actor.of_request(request),
        Action.HOST,
        text,
        cluster=shown.cluster.name,
        host=shown.name,
        object=shown.name,
    )


def _host(pk: int) -> Host:
    related = ("cluster", "credential", "accepted_by", "comparison")
    rows = Host.objects.select_related(*related)
    return get_object_or_404(rows, pk=pk)
