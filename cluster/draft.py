"""The draft: what the operator wants now, against what was applied last.

Discarding a draft and going back to an older revision are one thing: the rows are
written again from a wish. Nothing of it touches a host.
"""

from __future__ import annotations

from ipaddress import ip_address

from django.db import transaction

from cluster.lvs import edits
from cluster.lvs.edits import Edit, Names
from cluster.lvs.table import Table
from cluster.lvs.table import VirtualService as ServiceValue
from cluster.lvs.wish import ClusterWish
from cluster.models import Cluster, RealServer, Vip, VirtualService


def applied_table(cluster: Cluster) -> Table:
    """Return what the newest revision wants; empty before the first."""
    applied = cluster.applied()
    return applied.table if applied else Table()


def draft_edits(cluster: Cluster) -> list[Edit]:
    """Return what was edited since the newest revision, one edit per service."""
    return edits.edits(applied_table(cluster), cluster.wish().table, names(cluster))


def names(cluster: Cluster) -> Names:
    """Return the names of hosts by address, for sentences."""
    hosts = cluster.hosts.values_list("address", "name")
    return {ip_address(address): name for address, name in hosts}


@transaction.atomic
def load(cluster: Cluster, wish: ClusterWish | None) -> None:
    """Write the rows so that the cluster wants exactly *wish* (None: nothing).

    Rows keep their names; what is switched off is no part of a wish and stays.
    """
    wanted = {service.at: service for service in wish.table.services} if wish else {}
    rows = cluster.services.prefetch_related("servers")
    for row in rows:
        value = wanted.pop(row.at, None)
        if value is not None:
            _write(row, value)
        elif row.enabled:
            row.delete()
    for value in wanted.values():
        _write(VirtualService(cluster=cluster), value)


def _write(row: VirtualService, value: ServiceValue) -> None:
    protocol, address = value.at.protocol, value.at.address
    if protocol is None or address is None:
        return  # a firewall mark: no row of ours can be one yet
    row.protocol, row.address, row.port = protocol.value, str(address), value.at.port
    row.scheduler, row.persistence = value.scheduler.value, value.persistence
    row.enabled = True
    row.save()
    Vip.number_for(row.cluster, row.address)
    kept = [
        RealServer.objects.update_or_create(
            service=row,
            address=str(server.address),
            port=server.port,
            defaults={
                "host": row.cluster.hosts.filter(address=str(server.address)).first(),
                "method": server.method.value,
                "weight": server.weight,
                "enabled": True,
            },
        )[0].pk
        for server in value.servers
    ]
    row.servers.filter(enabled=True).exclude(pk__in=kept).delete()
