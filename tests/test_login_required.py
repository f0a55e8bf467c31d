"""Without a log-in nothing is shown and nothing is done, by any method, on any URL.

The URLs come from the resolver, so a new page is covered at its birth.
"""

from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RegexPattern

METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "FOO",
]
OPEN = {"cluster:health", "cluster:setup", "cluster:login", "cluster:set_language"}
REFUSALS = {401, 403, 404, 405}
ARGUMENTS = {
    "IntConverter": 1,
    "StringConverter": "x",
    "SlugConverter": "x",
    "PathConverter": "x/y",
    "UUIDConverter": UUID(int=1),
}
GROUPS = {"form": "csv"}  # named groups of re_path, which say less than a converter

pytestmark = pytest.mark.django_db


def named_urls(resolver=None, namespace=""):
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from named_urls(entry, inner)
        else:
            yield f"{namespace}{entry.name}", entry


def url_of(name: str, entry: URLPattern) -> str:
    converters = entry.pattern.converters.items()
    kwargs = {key: ARGUMENTS[type(value).__name__] for key, value in converters}
    if isinstance(entry.pattern, RegexPattern):
        kwargs = {group: GROUPS[group] for group in entry.pattern.regex.groupindex}
    return reverse(name, kwargs=kwargs)


URLS = dict(named_urls())
CLOSED = sorted(set(URLS) - OPEN)


def test_every_url_has_a_name():
    assert [entry for name, entry in URLS.items() if name.endswith("None")] == []


def test_the_list_of_open_pages_is_exact():
    assert set(URLS) >= OPEN


DISGUISES = {
    "HX-Request": "true",
    "X-Forwarded-User": "admin",
    "Remote-User": "admin",
    "X-Original-URL": "/health",
    "X-Rewrite-URL": "/health",
}


@pytest.mark.parametrize("headers", [{}, DISGUISES], ids=["plain", "disguised"])
@pytest.mark.parametrize("name", CLOSED)
def test_a_stranger_gets_nothing(client, name, headers):
    for method in METHODS:
        response = client.generic(method, url_of(name, URLS[name]), headers=headers)
        if response.status_code == 302:
            assert urlsplit(response["Location"]).path == reverse("cluster:login")
        else:
            assert response.status_code in REFUSALS, method


@pytest.mark.parametrize("name", sorted(OPEN))
def test_an_open_page_makes_no_session_for_a_stranger(client, name):
    for method in METHODS:
        response = client.generic(method, url_of(name, URLS[name]))
        assert response.status_code in REFUSALS | {200, 302, 422}, method
        assert "piranha" not in client.cookies
