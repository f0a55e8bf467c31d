"""Ring for a worker once the rows that it will read are committed."""

from __future__ import annotations

from typing import Any

from celery import Task
from django.db import transaction


def ring(task: Task[..., Any], *arguments: object) -> None:
    """Queue the task on commit.

    Without a broker the page works all the same: the rows say what is to be done, and
    the next tick rings again. A ``partial`` would not do here: Django 5.2 asks a
    robust callback that fails for its name.
    """

    def queue() -> None:
        task.delay(*arguments)

    transaction.on_commit(queue, robust=True)
