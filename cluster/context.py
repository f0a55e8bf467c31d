"""What the frame of every page needs: navigation and the words for our scripts."""

import json
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from cluster.models import Cluster


class NavItem(NamedTuple):
    label: str | Promise
    icon: str
    url: str
    current: bool
    children: tuple["NavItem", ...] = ()


# What our scripts say to people. They hold no words of their own.
WORDS: dict[str, Promise] = {
    "no_answer": _("The dashboard did not answer. Nothing on this page has changed."),
    "no_answer_unsafe": _(
        "The dashboard did not answer. Whether it was done is not known: reload the "
        "page before you try again."
    ),
    "server_error": _("The dashboard has met an error. It is in its log."),
    "forbidden": _("You may not do this. Ask an administrator for the role."),
    "too_many": _("Too many requests. Wait a moment."),
    "retry": _("Try again"),
    "reload": _("Reload the page"),
    "copied": _("Copied"),
    "copy_failed": _("The browser did not allow copying. Select the text instead."),
    "updated": _("updated {n} s ago"),
    "no_news": _("no news for {n} s"),
    "graph_summary": _("{label}: now {last}, lowest {min}, highest {max}."),
    "graph_empty": _("No samples yet."),
    "found": _("{n} of {all} virtual services"),
    "time": _("Time"),
    "gap": _("no numbers"),
    "lowest": _("lowest"),
    "highest": _("highest"),
    "theme_system": _("Theme: as the system"),
    "theme_light": _("Theme: light"),
    "theme_dark": _("Theme: dark"),
}


def shell(request: HttpRequest) -> dict[str, object]:
    """Return `nav` (lazy: a fragment asks for no rows), `words` and page addresses."""
    return {
        "nav": SimpleLazyObject(lambda: navigation(request)),
        "words": json.dumps({key: str(text) for key, text in WORDS.items()}),
        "search_url": address("search"),
        "languages": settings.LANGUAGES,
    }


def navigation(request: HttpRequest) -> tuple[NavItem, ...]:
    here = request.path
    items = (
        NavItem(_("Overview"), "layout-dashboard", address("overview"), False),
        NavItem(
            _("Clusters"),
            "topology-star-3",
            address("clusters"),
            False,
            cluster_items(here),
        ),
        NavItem(_("Hosts"), "server-2", address("hosts"), False),
        NavItem(_("Audit"), "history", address("audit"), False),
    )
    return tuple(
        item._replace(current=is_current(item, here))
        for item in items
        if item.url or item.children
    )


def cluster_items(here: str) -> tuple[NavItem, ...]:
    if not address("cluster", "any"):
        return ()
    urls = (
        (cluster.name, address("cluster", cluster.slug))
        for cluster in Cluster.objects.only("name", "slug")
    )
    return tuple(
        NavItem(name, "circle-dot", url, here.startswith(url)) for name, url in urls
    )


def is_current(item: NavItem, here: str) -> bool:
    if item.url == "/":
        return here == "/"
    return bool(item.url) and here.startswith(item.url)


def address(name: str, *args: object) -> str:
    """Return the URL of a page, or ``""`` while that page does not exist."""
    try:
        return reverse(f"cluster:{name}", args=args)
    except NoReverseMatch:
        return ""
