"""What workers do. A task loads, calls ``control`` and ends; its message is only a
doorbell: each may come twice, late or never, and the next tick makes up for it."""

from __future__ import annotations

from celery import shared_task

from cluster import errands
from cluster.control import addresses, comparing, draining, host_facts, running
from cluster.control.targets import shell_for
from cluster.errands import Errand
from cluster.models import AddressCheck, Cluster, Host, Run
from cluster.watch import retention, rollup


@shared_task
def plan_run(pk: int) -> None:
    """Ask the hosts and make the plan of a run that is PLANNING."""
    running.attend(pk, shell_for)


@shared_task
def apply_run(pk: int) -> None:
    """Carry out a confirmed run, or take over one whose worker died."""
    running.attend(pk, shell_for)


@shared_task
def advance_drain(pk: int) -> None:
    """Bring a drain as far as it goes now; see ``control/draining.py``."""
    draining.advance(pk, shell_for)


@shared_task
def check_address(pk: str) -> None:
    """Ask the LAN about one address that somebody types into a form."""
    check = AddressCheck.objects.select_related("cluster__director__credential")
    addresses.check_address(check.get(pk=pk), shell_for)


@shared_task
def tick() -> None:
    """Ring the bell for every run that needs work and is in nobody's hands."""
    for pk in Run.objects.unattended().values_list("pk", flat=True):
        apply_run.delay(pk)
    for pk in draining.waiting():
        advance_drain.delay(pk)
    for pk in host_facts.due():
        if errands.is_turn(Errand.LOOK, pk):
            look_at_host.delay(pk)
    comparing.prepare()
    for pk in comparing.due():
        if errands.begin(Errand.OBSERVE, pk):
            observe_cluster.delay(pk)
    roll_up.delay()


@shared_task
def observe_cluster(pk: int) -> None:
    """Read the hosts of a cluster that are due, and keep what differs."""
    try:
        comparing.observe_due(Cluster.objects.get(pk=pk), shell_for)
    finally:
        errands.end(Errand.OBSERVE, pk)


@shared_task
def roll_up() -> None:
    """Make history of readings, and delete what is older than what we keep."""
    rollup.roll_up()
    retention.prune()


@shared_task
def fetch_host_key(pk: int) -> None:
    """Ask a host for its key, without logging in; a person accepts it."""
    try:
        host_facts.fetch_key(Host.objects.select_related("cluster").get(pk=pk))
    finally:
        errands.end(Errand.FETCH_KEY, pk)


@shared_task
def look_at_host(pk: int) -> None:
    """Test our rights on a host and find out what it is, has and lacks."""
    try:
        hosts = Host.objects.select_related("cluster", "credential")
        host_facts.look(hosts.get(pk=pk), shell_for)
    finally:
        errands.end(Errand.LOOK, pk)
