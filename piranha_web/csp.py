"""Response headers that keep a page from doing what its author did not write."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.http.request import split_domain_port

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; manifest-src 'self'; connect-src {connect}; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
_PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def events_origin(request: HttpRequest) -> str:
    """Return where the live streams come from, ``""`` for this very origin."""
    if settings.EVENTS_URL.startswith("/"):
        return ""
    if settings.EVENTS_URL:
        scheme, _, rest = settings.EVENTS_URL.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"
    name, _ = split_domain_port(request.get_host())
    return f"{request.scheme}://{name}:{settings.EVENTS_PORT}"


class SecurityHeadersMiddleware:
    """Add the Content-Security-Policy and its companions to every response.

    Django adds nosniff, the referrer policy, COOP and X-Frame-Options itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        connect = f"'self' {events_origin(request)}".strip()
        response.headers.setdefault(
            "Content-Security-Policy", _POLICY.format(connect=connect)
        )
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            # What a page shows must not stay in a shared machine's cache.
            response.headers.setdefault("Cache-Control", "no-store")
        return response
