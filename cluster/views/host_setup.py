"""The wizard: a new host, our user on it, its key, our rights. One URL for each step,
to be left and come back to."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from cluster import audit, errands, tasks
from cluster.audit import Action, Actor
from cluster.errands import Errand
from cluster.forms.host import AcceptKeyForm, NewHostForm
from cluster.host_condition import Condition, condition_of
from cluster.lvs import host_setup, privileges
from cluster.lvs.host_facts import fingerprint
from cluster.lvs.words import say
from cluster.models import Cluster, Host
from cluster.views.access import administrator_required
from cluster.views.hosts import audit_host, begin_look, host_context
from cluster.views.request import PersonRequest

require_form = require_http_methods(["GET", "HEAD", "POST"])


class WizardStep(NamedTuple):
    """One step for the bar at the top."""

    label: str | Promise
    url: str
    current: bool
    done: bool


def steps(current: str, host: Host | None = None) -> list[WizardStep]:
    accepted = bool(host and host.host_key)
    fine = bool(host and condition_of(host) is Condition.OK)
    names = (
        ("host_new", _("Address"), host is not None),
        ("host_access", _("User and rights"), accepted),
        ("host_key", _("Host key"), accepted),
        ("host_rights", _("Test"), fine),
    )
    return [
        WizardStep(label, _url(name, host), name == current, done)
        for name, label, done in names
    ]


def _url(name: str, host: Host | None) -> str:
    if name == "host_new" or not host:
        return ""
    return reverse(f"cluster:{name}", args=[host.pk])


@require_form
@administrator_required
def host_new(request: PersonRequest) -> HttpResponse:
    initial = _probable(request.GET.get("cluster", ""))
    form = NewHostForm(request.POST or None, initial=initial)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        context = {"form": form, "steps": steps("host_new")}
        return render(request, "cluster/host_new.html", context, status=status)
    with transaction.atomic():
        host = form.save()
        if form.cleaned_data["new_cluster"]:
            text = say("Made cluster {cluster}", cluster=host.cluster)
            actor = Actor.of_request(request)
            audit.append(actor, Action.CHANGED, text, cluster=host.cluster.name)
        text = say("Added {role} {host}, {user}@{address} port {port}",
                   role=host.get_role_display(), host=host.name, user=host.ssh_user,
                   address=host.ssh_address, port=host.ssh_port)  # fmt: skip
        audit_host(request, host, text)
        _begin_fetch(host)
    return redirect("cluster:host_access", host.pk)


def _probable(slug: str) -> dict[str, Any]:
    """Return what the next host probably is: a director first, then real servers,
    in the same cluster and with the same key."""
    cluster = Cluster.objects.filter(slug=slug).first() or Cluster.objects.first()
    if cluster is None:
        return {"role": Host.Role.DIRECTOR}
    known = cluster.hosts.last()
    has_director = cluster.hosts.directors().exists()
    return {
        "cluster": cluster,
        "role": Host.Role.REAL_SERVER if has_director else Host.Role.DIRECTOR,
        "ssh_user": known.ssh_user if known else "piranha",
    }


@require_safe
@administrator_required
def host_access(request: PersonRequest, pk: int) -> HttpResponse:
    """Show what is to be done on the host itself, to copy."""
    host = _host(pk)
    context = (
        host_context(host) | commands(host) | {"steps": steps("host_access", host)}
    )
    return render(request, "cluster/host_access.html", context)


def commands(host: Host) -> dict[str, Any]:
    """Return the texts to copy; they are made for the role and the user."""
    public = host.credential.public_key
    return {
        "public_key": public,
        "authorized_keys": host_setup.authorized_keys_line(public),
        "make_user": host_setup.make_user(host.ssh_user, public),
        "sudoers": privileges.sudoers(host.role, host.ssh_user),
        "install_sudoers": host_setup.install_sudoers(host.role, host.ssh_user),
        "sudoers_path": host_setup.SUDOERS,
        "packages": [
            (name, host_setup.install_packages(host.role, family))
            for family, name in (("debian", "Debian, Ubuntu"), ("rhel", "RHEL, Fedora"))
        ],
    }


@require_safe
@administrator_required
def host_sudoers(request: PersonRequest, pk: int) -> HttpResponse:
    """Download the sudoers file of this host."""
    host = _host(pk)
    text = privileges.sudoers(host.role, host.ssh_user)
    name = f"piranha-{host.role}.sudoers"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)


@require_form
@never_cache
@administrator_required
def host_key(request: PersonRequest, pk: int) -> HttpResponse:
    """Show the key that the host offers; accept it by POST."""
    host = _host(pk)
    form = AcceptKeyForm(request.POST or None, host=host)
    if form.is_valid():
        _accept(request, host)
        return redirect("cluster:host_rights", pk)
    context = host_context(host) | {"form": form, "steps": steps("host_key", host)}
    template = "cluster/_host_key.html" if request.htmx else "cluster/host_key.html"
    status = 422 if form.is_bound else 200
    return render(request, template, context, status=status)


@require_POST
@administrator_required
def host_key_fetch(request: PersonRequest, pk: int) -> HttpResponse:
    with transaction.atomic():
        _begin_fetch(_host(pk))
    return redirect("cluster:host_key", pk)


@require_safe
@never_cache
@administrator_required
def host_rights(request: PersonRequest, pk: int) -> HttpResponse:
    """Show the test of our rights, while it goes on and when it is over."""
    host = _host(pk)
    context = (
        host_context(host) | commands(host) | {"steps": steps("host_rights", host)}
    )
    template = "cluster/_host_test.html" if request.htmx else "cluster/host_rights.html"
    return render(request, template, context)


def _begin_fetch(host: Host) -> None:
    if errands.begin(Errand.FETCH_KEY, host.pk):
        ring = partial(tasks.fetch_host_key.delay, host.pk)
        transaction.on_commit(ring, robust=True)


def _accept(request: PersonRequest, host: Host) -> None:
    """Pin the key that the person has compared."""
    before, now = host.host_key, host.offered_key
    with transaction.atomic():
        # Only if it is still the one that was offered when the form was checked.
        rows = Host.objects.select_for_update()
        row = get_object_or_404(rows, pk=host.pk, offered_key=now)
        row.host_key, row.accepted_by = now, request.user
        row.accepted_at = timezone.now()
        row.trouble = row.trouble_at = None
        row.save(update_fields=["host_key", "accepted_by", "accepted_at", "trouble",
                                "trouble_at"])  # fmt: skip
        if before:
            text = say("Accepted the new host key {now} of {host}; before it was"
                       " {before}", now=fingerprint(now), host=host.name,
                       before=fingerprint(before))  # fmt: skip
        else:
            text = say("Accepted the host key {now} of {host}", now=fingerprint(now),
                       host=host.name)  # fmt: skip
        audit_host(request, host, text)
        begin_look(host)


def _host(pk: int) -> Host:
    return get_object_or_404(
        Host.objects.select_related("cluster", "credential", "accepted_by"), pk=pk
    )
