"""The draft: what the operator wants now, against what was applied last.

Discarding a draft and going back to an older revision are one thing: the rows are
written again from a wish. Nothing of it touches a host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address
from typing import Any

from django.db import transaction
from django.db.models import Model

from cluster.lvs import port_reuse
from cluster.lvs.drained import weight_of
from cluster.lvs.edits import Edit, Names
from cluster.lvs.encapsulation import IPIP
from cluster.lvs.settings import Settings
from cluster.lvs.source_nat import spelled
from cluster.lvs.table import IPAddress, ServiceAddress, Table
from cluster.lvs.table import RealServer as ServerValue
from cluster.lvs.table import VirtualService as ServiceValue
from cluster.lvs.wanted import WantedService
from cluster.lvs.wish import ClusterWish
from cluster.lvs.wish_edits import wish_edits
from cluster.models import Cluster, Host, RealServer, Vip, VirtualService


def applied_table(cluster: Cluster) -> Table:
    """Return what the newest revision wants; empty before the first."""
    applied = cluster.applied()
    return applied.table if applied else Table()


def draft_edits(cluster: Cluster) -> list[Edit]:
    """Return what was edited since the newest revision, one edit per service."""
    return wish_edits(cluster.applied(), cluster.wish(), names(cluster))


def names(cluster: Cluster) -> Names:
    """Return the names of hosts by address, for sentences."""
    return {rip: host.name for host in cluster.hosts.all() for rip in host.addresses}


def stored(cluster: Cluster) -> list[WantedService]:
    """Return the services as the rows have them, what is switched off too."""
    rows = cluster.services.prefetch_related("servers")
    return [_wanted(row) for row in rows]


def _wanted(row: VirtualService) -> WantedService:
    servers = [(server.as_value(), server.enabled) for server in row.servers.all()]
    return WantedService(
        replace(row.as_value(), servers=tuple(value for value, _on in servers)),
        row.name,
        row.enabled,
        frozenset((value.address, value.port) for value, on in servers if not on),
        row.owner,
        row.notes,
    )


@transaction.atomic
def load(cluster: Cluster, wish: ClusterWish | None) -> None:
    """Write the rows so that the cluster wants exactly *wish* (None: nothing).

    Rows keep their names; what is switched off is no part of a wish and stays.
    """
    table = wish.table if wish else Table()
    before = {wanted.value.at: wanted for wanted in stored(cluster)}
    after = [_with_what_is_off(value, before.get(value.at)) for value in table.services]
    kept = {wanted.value.at for wanted in after}
    off = [w for at, w in before.items() if not w.enabled and at not in kept]
    save(cluster, [*after, *off])
    _load_beside(cluster, wish)


def _load_beside(cluster: Cluster, wish: ClusterWish | None) -> None:
    """Take over settings and active director, as far as the directors still exist."""
    directors = {host.name: host for host in cluster.hosts.directors()}
    wished = wish.settings if wish else Settings()
    cluster.settings = wished.of_hosts(directors).as_json()
    if wish and wish.director in directors:
        cluster.director = directors[wish.director]
    cluster.save(update_fields=["settings", "director"])


def _with_what_is_off(
    value: ServiceValue, before: WantedService | None
) -> WantedService:
    if before is None:
        return WantedService(value)
    on = {(server.address, server.port) for server in value.servers}
    off = [
        server
        for server in before.value.servers
        if (server.address, server.port) in before.off - on
    ]
    whole = replace(value, servers=(*value.servers, *off))
    return replace(before, value=whole, enabled=True, off=before.off - on)


@transaction.atomic
def save(cluster: Cluster, wanted: Iterable[WantedService]) -> None:
    """Write the rows of all services so that they are exactly *wanted*.

    Rows that are as wanted are not touched. A firewall mark without packets is no row.
    """
    services = {w.value.at: w for w in wanted if w.value.vips}
    rows = {row.at: row for row in cluster.services.prefetch_related("servers")}
    gone = [row.pk for at, row in rows.items() if at not in services]
    VirtualService.objects.filter(pk__in=gone).delete()
    numbered = set(cluster.vips.values_list("address", flat=True))
    hosts = {rip: host for host in cluster.hosts.all() for rip in host.addresses}
    new: list[RealServer] = []
    for at, service in services.items():
        row = rows.get(at) or VirtualService(cluster=cluster)
        if _differs(row, _service_fields(service)):
            row.save()
        for vip in row.vips:
            if vip not in numbered:
                Vip.number_for(cluster, vip)
                numbered.add(vip)
        new += _save_servers(row, service, hosts, is_new=at not in rows)
    RealServer.objects.bulk_create(new, batch_size=1000)


def as_stored(value: ServiceValue) -> ServiceValue | None:
    """Return what the rows would say of a service; None when no row can hold it."""
    if not value.vips:
        return None
    wanted = WantedService(value)
    servers = [
        RealServer(**_server_fields(s, None, enabled=True)) for s in value.servers
    ]
    return VirtualService(**_service_fields(wanted)).as_value(servers)


def _save_servers(
    row: VirtualService,
    service: WantedService,
    hosts: Mapping[IPAddress, Host],
    *,
    is_new: bool,
) -> list[RealServer]:
    """Write the servers of a service; new ones are returned, to be written together."""
    present = [] if is_new else row.servers.all()
    left = {(ip_address(s.address), s.port): s for s in present}
    new = []
    for value in service.value.servers:
        key = (value.address, value.port)
        host = hosts.get(value.address)
        fields = _server_fields(value, host, enabled=key not in service.off)
        server = left.pop(key, None)
        if server is None:
            new.append(RealServer(service=row, **fields))
        elif _differs(server, fields):
            server.save()
    RealServer.objects.filter(pk__in=[s.pk for s in left.values()]).delete()
    return new


def server_rows(cluster: Cluster, at: ServiceAddress) -> list[RealServer]:
    """Return the rows of the real servers of one service, switched off or not."""
    services = cluster.services.prefetch_related("servers")
    return [s for row in services if row.at == at for s in row.servers.all()]


@transaction.atomic
def aim(cluster: Cluster, kept: Table, aim: Fraction | None) -> None:
    """Give rows of real servers this part of their weight in *kept*; None: switch off.

    Called together with the run that does the same to the newest revision. A row that
    somebody has edited since that revision keeps what was typed.
    """
    applied = applied_table(cluster).by_address
    for service in kept.services:
        places = {(str(s.address), s.port): s for s in service.servers}
        before = applied.get(service.at)
        for row in server_rows(cluster, service.at):
            mine = places.get((row.address, row.port))
            if mine and before and _as_applied(row, before):
                row.enabled = aim is not None
                row.weight = mine.weight if aim is None else weight_of(mine, aim)
                row.save(update_fields=["enabled", "weight"])


@transaction.atomic
def reuse_ports(cluster: Cluster) -> None:
    """Set conn_reuse_mode in the settings, unless somebody has set it otherwise."""
    now = cluster.wished_settings
    if port_reuse.MODE not in dict(now.sysctls):
        cluster.settings = port_reuse.with_reuse(now).as_json()
        cluster.save(update_fields=["settings"])


def _as_applied(row: RealServer, service: ServiceValue) -> bool:
    there = service.server(ip_address(row.address), row.port)
    if there is None or not row.enabled:
        return there is None and not row.enabled
    return row.weight == there.weight


def _service_fields(service: WantedService) -> dict[str, Any]:
    value, at = service.value, service.value.at
    flags = {flag.partition("-")[2] for flag in value.flags}
    return {
        "protocol": at.protocol.value if at.protocol else "",
        "address": str(at.address) if at.address else None,
        "port": at.port,
        "mark": at.mark,
        "packets": [one.as_json() for one in value.packets],
        "scheduler": value.scheduler.value,
        "persistence": value.persistence,
        "netmask": value.netmask,
        "hash_port": "port" in flags,
        "hash_fallback": "fallback" in flags,
        "engine": value.engine,
        "one_packet": value.one_packet,
        "source_nat": value.source_nat,
        "local_addresses": spelled(value.local),
        "name": service.name,
        "owner": service.owner,
        "notes": service.notes,
        "enabled": service.enabled,
    }


def _server_fields(
    value: ServerValue, host: Host | None, *, enabled: bool
) -> dict[str, Any]:
    tunnel = value.tunnel or IPIP
    return {
        "host_id": host.pk if host else None,
        "address": str(value.address),
        "port": value.port,
        "method": value.method.value,
        "weight": value.weight,
        "upper": value.upper,
        "lower": value.lower,
        "tunnel_type": tunnel.type,
        "tunnel_port": tunnel.port,
        "tunnel_checksum": tunnel.checksum,
        "enabled": enabled,
    }


def _differs(row: Model, fields: Mapping[str, Any]) -> bool:
    """Set the fields, and say whether the row has to be written."""
    moved = {key: value for key, value in fields.items() if getattr(row, key) != value}
    for key, value in moved.items():
        setattr(row, key, value)
    return bool(moved) or row.pk is None
