"""The pages, for gunicorn. The live streams have their own process: see asgi.py."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piranha_web.settings")

django_application = get_wsgi_application()
# All pages before the fork, or the first person waits a second for them.
get_resolver().url_patterns  # noqa: B018

from piranha_web.origins import EVENTS_PREFIX  # noqa: E402


def application(
    environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    """Answer every URL but /events/: each open stream would hold a thread for ever."""
    if environ.get("PATH_INFO", "").startswith(EVENTS_PREFIX):
        start_response("404 Not Found", [("Content-Length", "0")])
        return [b""]
    return django_application(environ, start_response)
