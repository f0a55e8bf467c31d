"""What workers do. A task loads, calls ``control`` and ends; its message is only a
doorbell: each may come twice, late or never, and the next tick makes up for it."""

from __future__ import annotations

from celery import shared_task

from cluster.control import addresses, running
from cluster.control.targets import shell_for
from cluster.models import AddressCheck, Run


@shared_task
def plan_run(pk: int) -> None:
    """Ask the hosts and make the plan of a run that is PLANNING."""
    running.attend(pk, shell_for)


@shared_task
def apply_run(pk: int) -> None:
    """Carry out a confirmed run, or take over one whose worker died."""
    running.attend(pk, shell_for)


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
