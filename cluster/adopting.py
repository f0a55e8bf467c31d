"""Adopt: write what a host has into the wish. Nothing is sent for it.

One line of drift changes the draft. A service that somebody made by hand becomes a row,
and is ours once the run that is asked for it has converged, see ``lvs.adoption``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from django.db import transaction

from cluster import draft
from cluster.lvs import differences, edits, fullnat, mark_check, marks
from cluster.lvs.adoption import is_labelled, label_number
from cluster.lvs.change import Change
from cluster.lvs.host import INNER, BoundAddress, HostState
from cluster.lvs.table import ServiceAddress, Table, VirtualService
from cluster.lvs.table_plan import named
from cluster.lvs.wanted import WantedService
from cluster.lvs.wish_edits import wish_edits
from cluster.lvs.words import Sentence, listed
from cluster.lvs.words import say as _
from cluster.models import Cluster, Comparison, Host, Vip
from cluster.models import VirtualService as ServiceRow


class CannotAdopt(Exception):
    """The wish cannot say what the host has; nothing was written."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Found:
    """A service that somebody made by hand. *refusal* says why it cannot be taken;
    *notes* what else there is to know, *servers* come with the host that has the
    address, None for one that is not ours to set up."""

    value: VirtualService
    servers: tuple[tuple[Any, Host | None], ...]
    bindings: tuple[BoundAddress, ...]
    notes: tuple[Sentence, ...]
    refusal: Sentence | None
    replaces: bool

    @property
    def at(self) -> ServiceAddress:
        return self.value.at

    @property
    def name(self) -> str:
        """``TCP 10.0.1.31:80`` or ``FWM 7 · 10.0.1.31 tcp 80,443``."""
        return named(self.value)


def survey(director: Host) -> list[Found]:
    """Return the services on the director that are not ours, from when it was read."""
    state = director.state
    if state is None:
        return []
    ours = director.left_behind.services
    cluster = director.cluster
    hosts = {ip_address(h.address): h for h in cluster.hosts.all()}
    wanted = {row.at for row in cluster.services.all()}
    return [
        _found(service, state, hosts, replaces=service.at in wanted)
        for service in state.table.services
        if service.at not in ours
    ]


def _found(
    service: VirtualService, state: HostState, hosts: dict[Any, Host], *, replaces: bool
) -> Found:
    whole = _whole(service, state)
    bound = tuple(
        b for b in state.addresses if b.address in whole.vips and b.device not in INNER
    )
    servers = tuple((s, hosts.get(s.address)) for s in service.servers)
    return Found(
        whole,
        servers,
        bound,
        tuple(_notes(whole, bound, servers)),
        refusal(whole, state),
        replaces,
    )


def _whole(service: VirtualService, state: HostState) -> VirtualService:
    """Add what no listing of ipvsadm has: whether the source is replaced, and which
    packets get the mark."""
    replaced = any(rule.at == service.at for rule in state.source_nat)
    marked = marks.packets_of(service.at, state.marks)
    if service != (wished := fullnat.as_wished(service)):
        return replace(wished, packets=marked)
    return replace(service, source_nat=replaced, packets=marked)


def refusal(service: VirtualService, state: HostState) -> Sentence | None:
    """Return why the wish cannot hold this service, None when it can."""
    if service.at.mark and (why := mark_check.not_ours(service, state.other_marks)):
        return why
    if fullnat.is_used(Table((service,))):
        return _(
            "Its local addresses for FULLNAT are no range of IPv4 addresses, first to"
            " last: the wish cannot say them."
        )
    kept = draft.as_stored(service)
    if kept is None:
        return _("The dashboard has no form for this kind of service yet.")
    lost = edits.edit(service, kept, {})
    if lost is None:
        return None
    if not lost.sentences:
        return _("The wish cannot say all of it, so that it would become another one.")
    said = lost.sentence
    return _("The wish cannot say all of it; it would become: {edit}", edit=said)


def _notes(
    service: VirtualService,
    bound: tuple[BoundAddress, ...],
    servers: tuple[tuple[Any, Host | None], ...],
) -> Iterable[Sentence]:
    for vip in service.vips:
        if vip not in {one.address for one in bound}:
            yield _(
                "{vip} is bound to no device of the director: the plan binds it.",
                vip=vip,
            )
    for one in bound:
        if not is_labelled(one):
            yield _(
                "{address} has no label such as {device}:1. It is used, and stays on the"
                " director when the last service goes: take it off by hand then.",
                address=one,
                device=one.device,
            )
    strange = [str(server.address) for server, host in servers if host is None]
    if strange:
        yield _(
            "No hosts of this cluster: {addresses}. What they need is set up by hand.",
            addresses=listed(strange),
        )


@transaction.atomic
def adopt_services(director: Host, services: Iterable[ServiceAddress]) -> list[Found]:
    """Write services that were made by hand into the wish; return those taken.

    Raises CannotAdopt when one of them can no longer be taken.
    """
    cluster, state = director.cluster, director.state
    chosen = set(services)
    taken = [found for found in survey(director) if found.at in chosen]
    for found in taken:
        if found.refusal:
            raise CannotAdopt(found.refusal)
        _number_vip(cluster, found)
    kept = [w for w in draft.stored(cluster) if w.value.at not in chosen]
    rows = {row.at: row for row in cluster.services.all()}
    new = [WantedService(f.value, _name(rows.get(f.at))) for f in taken]
    if state is not None:
        draft.save(cluster, [*kept, *new])
    return taken


def _name(row: ServiceRow | None) -> str:
    return row.name if row else ""


def _number_vip(cluster: Cluster, found: Found) -> None:
    """Give each VIP the number of its label, so that it is spelled as it is bound."""
    for bound in found.bindings:
        number, address = label_number(bound), str(bound.address)
        vips = cluster.vips.all()
        known = vips.filter(address=address).exists()
        if number is not None and not known and not vips.filter(number=number).exists():
            Vip.objects.create(cluster=cluster, address=address, number=number)


@transaction.atomic
def adopt_line(host: Host, key: str) -> list[Sentence]:
    """Change the draft so that one line of drift is wanted; return what was edited.

    Raises CannotAdopt when the wish cannot say it or the line is no more.
    """
    row = Comparison.objects.select_for_update().filter(host=host).first()
    lines = row.differences if row else []
    line = next((one for one in lines if one["key"] == key), None)
    if line is None or not line["adoptable"] or host.state is None:
        raise CannotAdopt(_("This difference is no more, or it cannot be adopted."))
    before = host.cluster.wish()
    part = Change.from_json(line["change"])
    after = differences.adopted_wish(part, before, host.state)
    after = replace(after, table=_held(before.table, after.table, host.state))
    draft.load(host.cluster, after)
    said = wish_edits(before, after, draft.names(host.cluster))
    return [edit.sentence for edit in said]


def _held(before: Table, after: Table, state: HostState) -> Table:
    """Return the table with all that no listing has; raises CannotAdopt."""
    found = {
        at: service if at in before.by_address else _whole(service, state)
        for at, service in after.by_address.items()
    }
    for at, service in found.items():
        if service != before.by_address.get(at) and (why := refusal(service, state)):
            raise CannotAdopt(why)
    return Table(tuple(found.values()))
