"""Runs with the core's own plan, and their pages."""

import pytest
from django.urls import reverse
from django.utils import timezone

from cluster.lvs.plan import plan
from cluster.lvs.wish import host_wishes
from cluster.models import Run, Step
from tests.build import NAMES

REVIEW = reverse("cluster:review", args=["lab"])
State = Run.State


def page_of(run, name="run"):
    return reverse(f"cluster:{name}", args=[run.pk])


@pytest.fixture
def make_run(lab, li):
    """Return a function that makes a run with the core's own plan as its steps."""

    def make(state=State.PLANNED, **fields):
        wish = lab.cluster.wish()
        states = {host.name: host.state for host in lab.hosts.values()}
        found = plan(states, host_wishes(wish, states), {}, NAMES)
        run = Run.objects.create(
            cluster=lab.cluster,
            state=state,
            wish=wish.as_json(),
            plan_hash=found.hash,
            requested_by=li,
            planned_at=timezone.now(),
            **fields,
        )
        Step.objects.bulk_create(
            Step(run=run, position=n, host=lab.hosts[c.host], change=c.as_json())
            for n, c in enumerate(found.changes, start=1)
        )
        return run

    lab.add_service()
    return make


@pytest.fixture
def run(make_run):
    return make_run()


def shown(client, run, name="run"):
    answer = client.get(page_of(run, name))
    return " ".join(answer.content.decode().split())


# -- review --
