"""Filters of the connections page; a click on a name searches for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.template import Context

from cluster.lvs.table import without_any_port

register = template.Library()


@register.filter
def without_port(at: str) -> str:
    """Return ``10.0.1.100`` for ``10.0.1.100:0`` and for itself."""
    if at.startswith("["):
        return at[1:].partition("]")[0]
    return at.rpartition(":")[0] if at.count(":") == 1 else at


@register.filter
def place(at: str) -> str:
    """Return ``10.0.1.100:80`` as it is, and without a port where that is any."""
    return without_any_port(at)


@register.filter
def named(names: Mapping[str, str], at: str) -> str:
    """Return the name of the host that has this address, ``""`` when it is not known."""
    return names.get(without_port(at), "")


@register.filter
def share(number: int, whole: int) -> str:
    """Return ``43 %``, ``0.2 %`` or ``<0.1 %``."""
    percent = 100 * number / whole if whole else 0.0
    if percent < 0.1:
        return "<0.1 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %"


@register.filter
def searchable(name: str) -> bool:
    """Say whether the form can look for it: a firewall mark is in no connection."""
    return not name.startswith("IP ")


@register.simple_tag(takes_context=True)
def search_link(context: Context, field: str, value: str) -> str:
    """Return the address of this page with one field of the search changed."""
    query: Any = context["request"].GET.copy()
    query[field] = value
    query.pop("asked", None)
    return f"?{query.urlencode()}"
