"""Is the VIP free? A worker asks the LAN from the director; pages only read rows."""

from __future__ import annotations

import time
from datetime import timedelta

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from cluster import tasks
from cluster.lvs.validate import Wrong, read_address
from cluster.lvs.words import Sentence, say
from cluster.models import AddressCheck, Cluster, User
from cluster.views.access import operator_required
from cluster.views.bell import ring
from cluster.views.request import PersonRequest

FRESH = timedelta(seconds=60)
# A check that is older was lost: its worker died or there is none.
LOST = timedelta(seconds=20)
OPEN_CHECKS_A_PERSON = 2
WAIT_SECONDS = 4.0
LOOK_SECONDS = 0.1

State = AddressCheck.State


@require_POST
@operator_required
def ask(request: PersonRequest, slug: str) -> HttpResponse:
    """Start to ask the LAN for the posted address and return the fragment."""
    cluster = get_object_or_404(Cluster, slug=slug)
    try:
        address = str(read_address(request.POST.get("address", "")))
    except Wrong as wrong:
        raise Http404(str(wrong.sentence)) from wrong
    check = recent(cluster, address) or start(cluster, address, request.user)
    # Too many questions are open: the fragment comes again in a second.
    context = {"cluster": cluster, "check": check, "address": address, "waiting": True}
    return render(request, "cluster/_address_check.html", context)


@require_safe
@operator_required
def answer(request: PersonRequest, slug: str, pk: str) -> HttpResponse:
    """Return the fragment again, until somebody or nobody has answered."""
    check = get_object_or_404(AddressCheck, pk=pk, cluster__slug=slug)
    if check.state == State.ASKED and check.asked_at < timezone.now() - LOST:
        check.state = State.FAILED  # shown, not saved: a late answer is still good
        check.trouble = no_answer().as_json()
    context = {"cluster": check.cluster, "check": check, "address": check.address}
    return render(request, "cluster/_address_check.html", context)


def recent(cluster: Cluster, address: str) -> AddressCheck | None:
    """Return the newest check of the address that is still worth something."""
    now = timezone.now()
    fresh = cluster.checks.filter(address=address, asked_at__gte=now - FRESH)
    check = fresh.exclude(state=State.FAILED).first()
    if check and check.state == State.ASKED and check.asked_at < now - LOST:
        return None
    return check


def start(cluster: Cluster, address: str, user: User) -> AddressCheck | None:
    """Ask, or return None when this person has enough questions open."""
    waiting = AddressCheck.objects.filter(
        asked_by=user, state=State.ASKED, asked_at__gte=timezone.now() - LOST
    )
    if waiting.count() >= OPEN_CHECKS_A_PERSON:
        return None
    with transaction.atomic():
        check = AddressCheck.objects.create(
            cluster=cluster, address=address, asked_by=user
        )
        ring(tasks.check_address, str(check.pk))
    return check


def is_ours(cluster: Cluster, address: str) -> bool:
    """Whether a run of ours has bound the address on the director: it answers then."""
    director = cluster.director
    bound = director.left_behind.addresses if director else ()
    return any(str(one.address) == address for one in bound)


def settled(cluster: Cluster, address: str, user: User) -> AddressCheck | None:
    """Return a check of this address with its answer, if one comes in time.

    The request waits a few seconds for the *row*, which a worker writes: without a
    bound a missing worker would hold the page, without a wait a person who types
    quickly would save a VIP that is in use. No request ever opens SSH.
    """
    if is_ours(cluster, address):
        return None
    check = recent(cluster, address) or start(cluster, address, user)
    deadline = time.monotonic() + WAIT_SECONDS
    while check and check.state == State.ASKED and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        check.refresh_from_db()
    return check


def no_answer() -> Sentence:
    return say("no worker has answered")


def in_use(check: AddressCheck) -> Sentence:
    """Say who has the address, for the error beside the field."""
    if not check.holder:
        return say(
            "{vip} is in use on the LAN. Choose an address nobody uses.",
            vip=check.address,
        )
    return say(
        "{vip} is in use on the LAN: {mac} answers. Choose an address nobody uses.",
        vip=check.address,
        mac=check.holder,
    )
