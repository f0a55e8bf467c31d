"""Set-up, log in, log out, own password, health."""

import dataclasses

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as start_session
from django.contrib.auth import logout as end_session
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from cluster import audit, setup_link, throttle
from cluster.audit import Action, Actor
from cluster.forms.account import LoginForm, PasswordForm, SetupForm
from cluster.lvs.words import gettext_noop as noop
from cluster.lvs.words import say
from cluster.models import User
from cluster.numbers import duration
from cluster.throttle import PER_ACCOUNT, PER_ADDRESS, PER_ADDRESS_SETUP
from cluster.views.request import PersonRequest

require_form = require_http_methods(["GET", "HEAD", "POST"])


@login_not_required
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Answer a load balancer or a supervisor; say nothing to anybody else."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_form
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Make the first administrator; the link in the console leads here, once."""
    if wait := throttle.waiting(PER_ADDRESS_SETUP, _address(request)):
        return _too_many(request, "account/setup_gone.html", wait)
    if not setup_link.is_valid(token):
        throttle.failed(PER_ADDRESS_SETUP, _address(request))
        return render(request, "account/setup_gone.html", status=404)
    form = SetupForm(request.POST or None)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "account/setup.html", {"form": form}, status=status)
    if not setup_link.use_up():
        return render(request, "account/setup_gone.html", status=404)
    with transaction.atomic():
        user = form.save()
        sentence = say(noop("{name} is the first administrator"), name=user.username)
        audit.append(_as(user, request), Action.SET_UP, sentence)
    start_session(request, user)
    return redirect(settings.LOGIN_REDIRECT_URL)


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_form
def login(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_next(request))
    form = LoginForm(request, request.POST or None)
    context = {"form": form, "next": _next(request), "fresh": setup_link.is_needed()}
    if request.method != "POST":
        return render(request, "account/login.html", context)
    name = request.POST.get("username", "")
    wait = max(
        throttle.waiting(PER_ADDRESS, _address(request)),
        throttle.waiting(PER_ACCOUNT, name),
    )
    if wait:
        # The form is not even validated: a right password must not get through.
        empty = {"form": LoginForm(request, initial={"username": name})}
        return _too_many(request, "account/login.html", wait, context | empty)
    if not form.is_valid():
        _refuse(request, name)
        return render(request, "account/login.html", context, status=422)
    return _let_in(request, form.get_user())


@require_POST
def logout(request: PersonRequest) -> HttpResponse:
    audit.append(Actor.of_request(request), Action.SIGNED_OUT, say(noop("Signed out")))
    end_session(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@never_cache
@sensitive_post_parameters()
@require_form
def password(request: PersonRequest) -> HttpResponse:
    """Change one's own password; every other session of this person ends."""
    form = PasswordForm(request.user, request.POST or None)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "account/password.html", {"form": form}, status=status)
    with transaction.atomic():
        sentence = say(noop("Changed the own password"))
        audit.append(Actor.of_request(request), Action.PASSWORD, sentence)
        form.save()
    update_session_auth_hash(request, request.user)
    messages.success(
        request, _("Your password is changed. Other browsers are logged out.")
    )
    return redirect(settings.LOGIN_REDIRECT_URL)


def _let_in(request: HttpRequest, user: User) -> HttpResponse:
    throttle.forget(PER_ACCOUNT, user.username)
    audit.append(_as(user, request), Action.SIGNED_IN, say(noop("Signed in")))
    start_session(request, user)  # rotates the session key and the CSRF token
    return redirect(_next(request))


def _refuse(request: HttpRequest, name: str) -> None:
    throttle.failed(PER_ADDRESS, _address(request))
    throttle.failed(PER_ACCOUNT, name)
    # People type their password into the field of the name: log known names only.
    known = User.objects.filter(username=name).exists()
    sentence = say(noop("Sign-in refused: wrong name or password"))
    actor = Actor.of_request(request)
    audit.append(actor, Action.SIGN_IN_REFUSED, sentence, object=name if known else "")


def _too_many(
    request: HttpRequest,
    template: str,
    wait: int,
    context: dict[str, object] | None = None,
) -> HttpResponse:
    said = _("Too many attempts. Wait %(time)s, then try again.") % {
        "time": duration(wait)
    }
    response = render(
        request, template, (context or {}) | {"too_many": said}, status=429
    )
    response["Retry-After"] = str(wait)
    return response


def _address(request: HttpRequest) -> str:
    return str(request.META["REMOTE_ADDR"])


def _as(user: User, request: HttpRequest) -> Actor:
    """Return the actor of a request whose session does not know the person yet."""
    return dataclasses.replace(Actor.of_request(request), name=user.username)


def _next(request: HttpRequest) -> str:
    """Return where to go after the log-in: a page of ours or the overview."""
    wanted = request.POST.get("next") or request.GET.get("next", "")
    ours = url_has_allowed_host_and_scheme(
        wanted, {request.get_host()}, require_https=request.is_secure()
    )
    return wanted if ours else resolve_url(settings.LOGIN_REDIRECT_URL)
