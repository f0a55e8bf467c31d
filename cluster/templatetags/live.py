"""``{% load live %}``: links of a live page that keep the rest of how it is looked at."""

from __future__ import annotations

from django import template

from cluster.views.look import Look

register = template.Library()


@register.filter
def shows(look: Look, key: str) -> bool:
    return look.shows(key)


@register.filter
def opening(look: Look, key: str) -> str:
    """Return the address that also shows the real servers of this service."""
    return look.opening(key).query


@register.filter
def closing(look: Look, key: str) -> str:
    return look.closing(key).query or "?"
