"""``{% load live %}``: rows of a live table, and links that keep how it is looked at."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cluster.lvs.kernel_table import row_key
from cluster.views import live_table
from cluster.views.look import Look
from cluster.watch.board import ServerLine, ServiceLine

register = template.Library()
register.filter("row_id", live_table.row_id)
register.filter("body_id", live_table.body_id)


@register.filter
def server_id(line: ServiceLine, server: ServerLine) -> str:
    return live_table.row_id(row_key(line.key, server.at))


@register.filter
def names(line: ServiceLine) -> str:
    """Return what the filter finds a service by while its real servers are folded."""
    return " ".join(f"{server.name} {server.at}" for server in line.servers)


@register.filter
def states(line: ServiceLine) -> str:
    return " ".join(sorted({server.state for server in line.servers}))


@register.simple_tag
def sortable(name: str, label: str, css: str = "") -> SafeString:
    """Draw the head of a column that live-table.js sorts by."""
    return format_html(
        '<th scope="col" class="{}" data-sort="{}">'
        '<button type="button" class="sort">{}</button></th>',
        css,
        name,
        label,
    )


@register.filter
def shows(look: Look, key: str) -> bool:
    return look.shows(key)


@register.filter
def opening(look: Look, key: str) -> str:
    """Return the address that also shows the real servers of this service."""
    return look.opening(key).query


@register.filter
def closing(look: Look, key: str) -> str:
    """Return the address that shows them no more."""
    return look.closing(key).query or "?"
