"""A virtual service with its rows of real servers, checked and saved as one thing."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from django.db import transaction
from django.http import QueryDict

from cluster.draft import names
from cluster.forms.base import Form
from cluster.forms.service_fields import (
    BY_MARK,
    BY_PORT,
    OTHER,
    Place,
    ServerForm,
    ServerRows,
    ServiceForm,
)
from cluster.forms.words import spoken
from cluster.lvs import edits, mark_check, terms, validate
from cluster.lvs.director import own_addresses
from cluster.lvs.encapsulation import IPIP
from cluster.lvs.marks import MarkRule
from cluster.lvs.packets import lines as lines_of
from cluster.lvs.source_nat import spelled
from cluster.lvs.table import IPAddress
from cluster.lvs.table import VirtualService as ServiceValue
from cluster.lvs.validate import Draft, Server, Surroundings
from cluster.lvs.words import Sentence, say
from cluster.models import Cluster, RealServer, Vip, VirtualService


class ServiceEntry:
    """What a person has typed: the form of the service and its rows.

    *service* is the row that is edited, None for a new one; *template* the one that a
    new one begins as a copy of.
    """

    def __init__(
        self,
        cluster: Cluster,
        service: VirtualService | None = None,
        data: QueryDict | None = None,
        template: VirtualService | None = None,
    ) -> None:
        self.cluster, self.service = cluster, service
        shown = service or template
        self.hosts = {str(h.pk): h for h in cluster.hosts.real_servers()}
        initial = _initial(shown) if shown else {}
        if service is None or not service.mark:
            initial["mark"] = free_mark(cluster)
        self.form = ServiceForm(data, initial=initial)
        empty: list[dict[str, Any]] = [{} for _host in self.hosts]
        rows = _initial_rows(shown) if shown else empty[:2]
        self.servers = ServerRows(
            data,
            initial=None if data is not None else rows,
            prefix="servers",
            form_kwargs={"hosts": self.hosts},
        )

    # -- validation --

    def is_valid(self) -> bool:
        """Check every word and the whole; errors stand at their fields."""
        own = [self.form.is_valid(), self.servers.is_valid()]
        draft = self._draft()
        for found in validate.check(draft, surroundings(self.cluster, self.service)):
            form: Form = self.form
            name = found.field
            if found.row is not None:
                form = row = self.servers.forms[found.row]
                name = row.place_field if name == "host" else name
            form.add_error(name, spoken(found.sentence))
            own.append(False)
        return all(own)

    @property
    def vips(self) -> tuple[IPAddress, ...]:
        return self._draft().vips

    @property
    def address_field(self) -> str:
        """The field that says what the service is known by."""
        return "packets" if self.form.by_mark else "address"

    @property
    def filled_rows(self) -> list[ServerForm]:
        """The rows that somebody has written into."""
        return [form for form in self.servers.forms if form.has_changed()]

    @property
    def error_count(self) -> int:
        forms_of_all = [self.form, *self.servers.forms]
        rows = sum(len(form.errors) for form in forms_of_all)
        return rows + len(self.servers.non_form_errors())

    def refuse_address(self, sentence: Sentence) -> None:
        self.form.add_error(self.address_field, spoken(sentence))

    def forget_empty(self) -> None:
        """Drop errors of fields that are still empty: the person is not there yet."""
        for form in [self.form, *self.servers.forms]:
            for field in list(form.errors):
                typed = field in form.fields and form[field].value()
                if not typed:
                    del form.errors[field]

    def _draft(self) -> Draft:
        data = getattr(self.form, "cleaned_data", {})
        by_mark = self.form.by_mark
        port = 0 if by_mark else data.get("port")
        packets = data.get("packets") or ()
        named = (data.get("address"), port)
        family = next((p.address.version for p in packets), None)
        if not by_mark and data.get("address"):
            family = data["address"].version
        rows: list[Server] = []
        for row, form in enumerate(self.servers.forms):
            chosen = form.chosen
            if chosen is None or not form.has_changed():
                continue
            address = _address_of(form, chosen, family or 4)
            typed = None if "port" in form.errors else form.cleaned_data["port"]
            rows.append(
                Server(
                    row,
                    chosen.name,
                    address,
                    typed or port,
                    form.forwarding,
                    upper=form.cleaned_data.get("upper"),
                    lower=form.cleaned_data.get("lower"),
                    # What could not be read has its own note already.
                    tunnel=None if "tunnel_port" in form.errors else form.tunnel,
                )
            )
        protocol = terms.Protocol(data.get("protocol") or "tcp")
        own = self.form.options
        return Draft(
            *(*named, protocol, tuple(rows), own),
            by_mark=by_mark,
            mark=data.get("mark"),
            packets=packets,
        )

    # -- saving --

    @transaction.atomic
    def save(self) -> tuple[VirtualService, list[Sentence]]:
        """Write the rows; return the service and what was changed, in words."""
        before = self.service.as_value() if self.service else None
        row = self.service or VirtualService(cluster=self.cluster)
        told = self._told(row) if self.service else []
        data = self.form.cleaned_data
        self._name(row)
        row.name = data["name"]
        row.owner, row.notes = data["owner"], data["notes"].replace("\r\n", "\n")
        row.scheduler, row.enabled = data["scheduler"], data["enabled"]
        row.persistence = (data["persistence"] or 0) if data["persistent"] else 0
        row.netmask, row.one_packet = data["netmask"], data["one_packet"]
        row.source_nat, row.engine = data["source_nat"], self.form.options.engine
        row.local_addresses = spelled(data["local"])
        row.hash_port, row.hash_fallback = data["hash_port"], data["hash_fallback"]
        row.save()
        for vip in row.vips:
            Vip.number_for(self.cluster, vip)
        self._save_servers(row)
        # Read again: the servers of the row may have been fetched before.
        after = VirtualService.objects.get(pk=row.pk).as_value()
        return row, [*self._said(before, after), *told]

    def _name(self, row: VirtualService) -> None:
        """Give the row what it is known by: an address, or a mark and its packets."""
        data, by_mark = self.form.cleaned_data, self.form.by_mark
        row.protocol = "" if by_mark else data["protocol"]
        row.address = None if by_mark else str(data["address"])
        row.port = 0 if by_mark else data["port"]
        row.mark = data["mark"] if by_mark else 0
        row.packets = [one.as_json() for one in data["packets"]] if by_mark else []

    def _save_servers(self, row: VirtualService) -> None:
        kept = []
        for form in self.filled_rows:
            place, tunnel = form.chosen, form.tunnel or IPIP
            assert place is not None  # noqa: S101 - the form is valid
            server, _made = RealServer.objects.update_or_create(
                service=row,
                address=str(_address_of(form, place, row.at.family)),
                port=form.cleaned_data["port"] or row.port,
                defaults={
                    "host": place.host,
                    "weight": form.cleaned_data["weight"],
                    "upper": form.cleaned_data["upper"] or 0,
                    "lower": form.cleaned_data["lower"] or 0,
                    "method": form.cleaned_data["method"],
                    "tunnel_type": tunnel.type,
                    "tunnel_port": tunnel.port,
                    "tunnel_checksum": tunnel.checksum,
                    "enabled": not form.cleaned_data["off"],
                },
            )
            kept.append(server.pk)
        row.servers.exclude(pk__in=kept).delete()

    def _told(self, row: VirtualService) -> list[Sentence]:
        """What is different beside the value that the core compares."""
        told, data = [], self.form.cleaned_data
        if row.name != data["name"]:
            told.append(
                say("name “{before}” → “{after}”", before=row.name, after=data["name"])
            )
        if row.owner != data["owner"]:
            told.append(
                say("owner “{before}” → “{after}”",
                    before=row.owner, after=data["owner"])
            )  # fmt: skip
        if row.notes != data["notes"].replace("\r\n", "\n"):
            told.append(say("notes written"))
        if row.enabled != data["enabled"]:
            told.append(say("switched on") if data["enabled"] else say("switched off"))
        return told

    def _said(self, before: ServiceValue | None, after: ServiceValue) -> list[Sentence]:
        known, told = names(self.cluster), []
        if before and before.at != after.at:
            told.append(say("moved to {at}", at=after.at))
            # A moved service takes its servers along to the new port.
            moved = tuple(
                replace(s, port=after.at.port) if s.port == before.at.port else s
                for s in before.servers
            )
            before = replace(before, at=after.at, servers=moved)
        found = edits.edit(before, after, known)
        return [*told, *(found.sentences if found else ())]


def _address_of(form: ServerForm, place: Place, family: int) -> IPAddress:
    """Return what was typed, or the host's address in the family of the VIP."""
    if place.host is None or form.place_field == "address":
        return place.address
    return place.host.address_for(family)


def free_mark(cluster: Cluster) -> int:
    """Return the number that a new service is offered."""
    around = surroundings(cluster, None)
    used = (*around.services, *around.foreign)
    return mark_check.lowest_free(used, around.foreign_marks)


def surroundings(cluster: Cluster, service: VirtualService | None) -> Surroundings:
    """Return what the service may collide with; it never collides with itself."""
    director = cluster.director
    state = director.state if director else None
    hosts = []
    for host in cluster.hosts.all():
        hosts += [(own, host.name) for own in host.addresses]
        bound = own_addresses(host.state.addresses) if host.state else []
        hosts += [(one.address, host.name) for one in bound]
    rows = cluster.services.prefetch_related("servers")
    others = [row for row in rows if row != service]
    ours = set(director.left_behind.services) if director else set()
    if service:
        ours.add(service.at)
    present = state.table.by_address if state else {}
    marked = [(other.at, packets) for other in others for packets in other.marked]
    known = set(director.left_behind.marks) if director else set()
    if service:
        known |= {MarkRule(service.mark, packets) for packets in service.marked}
    rules = set(state.marks) - known if state else set()
    strange = state.other_marks if state else ()
    served = [s for other in others for s in other.servers.all()]
    return Surroundings(
        director=director.name if director else "",
        bound=state.addresses if state else (),
        hosts=tuple(hosts),
        services=tuple(other.at for other in others),
        foreign=tuple(at for at in present if at not in ours),
        tunnels=tuple((ip_address(s.address), s.tunnel) for s in served if s.tunnel),
        synced=next((name for name, _daemon in cluster.wished_settings.daemons), ""),
        marked=tuple(marked),
        foreign_marks=tuple({*strange, *(rule.mark for rule in rules)}),
    )


def _initial(service: VirtualService) -> dict[str, Any]:
    at = service.at
    lines = lines_of(service.marked)
    if at.protocol:
        lines = [f"{at.address} {at.protocol.value} {at.port}"]
    return {
        "kind": BY_MARK if service.mark else BY_PORT,
        "mark": service.mark,
        "packets": "\n".join(lines),
        "protocol": service.protocol or "tcp",
        "address": service.address or "",
        "port": "" if service.mark else service.port,
        "name": service.name,
        "owner": service.owner,
        "notes": service.notes,
        "scheduler": service.scheduler,
        "persistent": bool(service.persistence),
        "persistence": service.persistence or 300,
        "netmask": service.netmask or "",
        "hash_port": service.hash_port,
        "hash_fallback": service.hash_fallback,
        "engine": bool(service.engine),
        "one_packet": service.one_packet,
        "source_nat": service.source_nat,
        "local": service.local_addresses,
        "enabled": service.enabled,
    }


def _is_usual(server: RealServer, service: VirtualService) -> bool:
    """Whether the host alone says which of its addresses is meant."""
    host, family = server.host, service.at.family
    return host is not None and server.address == str(host.address_for(family))


def _initial_rows(service: VirtualService) -> list[dict[str, Any]]:
    """Rows of the service; a port that is the VIP's follows it, so it stays empty."""
    return [
        {
            "host": str(server.host_id) if _is_usual(server, service) else OTHER,
            "address": "" if _is_usual(server, service) else server.address,
            "method": server.method,
            "port": "" if server.port == service.port else server.port,
            "weight": server.weight,
            "upper": server.upper or "",
            "lower": server.lower or "",
            "tunnel_type": server.tunnel_type,
            "tunnel_port": server.tunnel_port or "",
            "tunnel_checksum": server.tunnel_checksum,
            "off": not server.enabled,
        }
        for server in service.servers.all()
    ]
