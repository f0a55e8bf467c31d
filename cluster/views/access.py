"""Who may do what: viewers look, operators plan and apply, administrators set up."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cluster.models import User
from cluster.views.request import PersonRequest

P = ParamSpec("P")
View = Callable[Concatenate[PersonRequest, P], HttpResponseBase]


def operator_required(view: View[P]) -> View[P]:
    """Answer 403, and do nothing, unless the person may plan and apply."""
    return _only(
        view,
        lambda user: user.may_operate,
        _("This needs the role operator. Nothing was changed."),
    )


def administrator_required(view: View[P]) -> View[P]:
    """Answer 403, and do nothing, unless the person may add hosts and people."""
    return _only(
        view,
        lambda user: user.may_administer,
        _("This needs the role administrator. Nothing was changed."),
    )


def _only(view: View[P], may: Callable[[User], bool], why: Promise) -> View[P]:
    @wraps(view)
    def guarded(
        request: PersonRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        if not may(request.user):
            raise PermissionDenied(why)
        return view(request, *args, **kwargs)

    return guarded
