"""What is to be done by hand on a real server that nobody manages, for its page."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from cluster.lvs import manual_steps
from cluster.lvs.manual_steps import Block, Family
from cluster.lvs.table import IPAddress
from cluster.models import Cluster


@dataclass(frozen=True, slots=True)
class FamilySteps:
    """The steps of one family of operating systems."""

    family: Family
    blocks: list[Block]


def by_hand(cluster: Cluster, rip: IPAddress) -> list[FamilySteps]:
    """Return the steps of each family; empty for a host that is managed."""
    managed = cluster.hosts.filter(address=str(rip)).exists()
    if managed or not isinstance(rip, IPv4Address):
        return []
    directors = [host.address for host in cluster.hosts.directors()]
    gateways = [cluster.director.address] if cluster.director else []
    inner = cluster.wished_settings.inner_vip
    gateways = [inner, *gateways] if inner else gateways
    task = manual_steps.task(cluster.wish(), rip, directors, gateways)
    return [FamilySteps(one, manual_steps.steps(task, one)) for one in Family]
