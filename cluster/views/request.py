"""The request as a view behind the log-in sees it."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from cluster.models import User


class PersonRequest(HttpRequest):
    user: User  # LoginRequiredMiddleware has seen to it
    htmx: HtmxDetails
