"""What every page of a cluster shows: its tabs, its draft, a run in progress."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from cluster import standing
from cluster.kept import draft_edits
from cluster.lvs.settings_plan import described
from cluster.models import Cluster

register = template.Library()


@register.inclusion_tag("parts/tabs.html")
def cluster_tabs(cluster: Cluster, current: str) -> dict[str, Any]:
    """Draw the tabs of a cluster; *current* is the URL name of the page."""
    pages = (
        (_("Live"), "cluster"),
        (_("Virtual services"), "services"),
        (_("Connections"), "connections"),
        (_("Graphs"), "graphs"),
        (_("Settings"), "settings"),
        (_("Redundancy"), "redundancy"),
        (_("Drift"), "drift"),
        (_("History"), "history"),
    )
    return {
        "name": cluster.name,
        "tabs": [
            (label, _address(name, cluster.slug), name == current)
            for label, name in pages
            if _address(name, cluster.slug)
        ],
    }


@register.inclusion_tag("cluster/_cluster_notices.html", takes_context=True)
def cluster_notices(context: Context, cluster: Cluster) -> dict[str, Any]:
    """Draw "n changes not applied" and "a run is in progress", where they are so."""
    return {
        "cluster": cluster,
        "running": cluster.runs.in_progress().first(),
        "edits": draft_edits(cluster),
        "rebooted": standing.of_cluster(cluster).rebooted,
        "user": context["user"],
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("cluster/_directors.html")
def cluster_directors(cluster: Cluster) -> dict[str, Any]:
    """Draw what each director holds and is set to, as it was last read."""
    vips = {vip.address for vip in cluster.vips.all()}
    standings = [
        (
            host,
            described(state.settings.timeouts),
            state.settings.daemons,
            [str(b.address) for b in state.addresses if str(b.address) in vips],
        )
        for host in cluster.hosts.directors()
        if (state := host.state)
    ]
    return {"cluster": cluster, "standings": standings}


def _address(name: str, slug: str) -> str:
    """Return the page's address, or ``""`` where the page does not exist."""
    try:
        return reverse(f"cluster:{name}", args=[slug])
    except NoReverseMatch:
        return ""
