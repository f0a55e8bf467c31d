"""Which pages may read the live streams, and where those streams are."""

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port

EVENTS_PREFIX = "/events/"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _origin(scheme: str, host: str, port: int) -> str:
    """Return an origin in the spelling of browsers: no port when it is the default."""
    return f"{scheme}://{host}" + (
        "" if _DEFAULT_PORTS.get(scheme) == port else f":{port}"
    )


def events_origin(request: HttpRequest) -> str:
    """Return the origin of the live streams, ``""`` when it is the page's own."""
    if settings.EVENTS_URL.startswith("/"):
        return ""
    if settings.EVENTS_URL:
        scheme, _, rest = settings.EVENTS_URL.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"
    name, _ = split_domain_port(request.get_host())
    return _origin(request.scheme or "http", name, settings.EVENTS_PORT)


def events_base(request: HttpRequest) -> str:
    """Return what stands before ``/events/...`` in a page: an origin or ``""``."""
    if settings.EVENTS_URL.startswith("/"):
        return str(settings.EVENTS_URL).removesuffix("/").removesuffix("/events")
    return events_origin(request)


def may_read_events(origin: str, scheme: str, host: str) -> bool:
    """Say whether a page of this origin may read the streams of this host."""
    name, _ = split_domain_port(host)
    return origin in (
        f"{scheme}://{host}",
        _origin(scheme, name, settings.WEB_PORT),
        *settings.CSRF_TRUSTED_ORIGINS,
    )
