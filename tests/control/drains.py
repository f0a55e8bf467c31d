"""A drain of the service of the notes, begun and moved on, on hosts in memory."""

from datetime import timedelta
from ipaddress import ip_address

import pytest
from django.utils import timezone

from cluster import drains
from cluster.audit import Actor
from cluster.control import draining
from cluster.drains import propose
from cluster.lvs.drain import Choice
from cluster.models import Drain
from tests.build import WEB1, at
from tests.control.start import begin_with

MINUTE = timedelta(minutes=1)
CHOICE = Choice(patience=10 * MINUTE)


@pytest.fixture
def serving(lab):
    """The service of the notes, applied, with weights 3 and 3."""

    def make(lab):
        lab.want().servers.update(weight=3)
        assert lab.apply().state == "converged"

    begin_with(lab, "serving", make)
    return lab.cluster.services.get()


def begin(lab, choice=CHOICE, floor=50, address=WEB1, only=(), **more):
    proposal = propose(lab.cluster, ip_address(address), only, floor)
    actor = Actor.of_user(lab.operator)
    return drains.begin(proposal, choice, floor, lab.operator, actor, **more)


def advance(lab, drain):
    draining.advance(drain.pk, lab.connect)
    drain.refresh_from_db()
    return drain.state


def say(lab, drain, event, **more):
    drains.tell(drain, event, lab.operator, Actor.of_user(lab.operator), **more)
    return advance(lab, drain)


def weights(lab, service=None):
    """Return the weights in the kernel by the last part of the address."""
    found = lab.models["lb01"].state.table.by_address[service or at()].servers
    return {str(s.address).rpartition(".")[2]: s.weight for s in found}


def rules(lab):
    return [what for what in lab.models["lb01"].writes if what.startswith("-")]


def late(drain):
    Drain.objects.filter(pk=drain.pk).update(deadline=timezone.now() - MINUTE)
    drain.refresh_from_db()
