"""Response headers that keep a page from doing what its author did not write."""

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponseBase

from piranha_web.origins import events_origin

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; manifest-src 'self'; connect-src {connect}; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
_PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def policy(request: HttpRequest) -> str:
    """Return the Content-Security-Policy for pages of the requested host."""
    try:
        events = events_origin(request)
    except DisallowedHost:
        # The answer is the error page about exactly that.
        events = ""
    return _POLICY.format(connect=f"'self' {events}".strip())


class SecurityHeadersMiddleware:
    """Add the Content-Security-Policy and its companions to every response.

    Django adds nosniff, the referrer policy, COOP and X-Frame-Options itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", policy(request))
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            # What a page shows must not stay in a shared machine's cache.
            response.headers.setdefault("Cache-Control", "no-store")
        return response
