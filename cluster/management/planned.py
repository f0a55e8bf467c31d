"""Runs as commands make, confirm and judge them."""

from __future__ import annotations

import shlex

from django.db import IntegrityError
from django.utils.translation import gettext as _

from cluster.audit import Actor
from cluster.management.attendance import attend
from cluster.management.base import Answer, Stopped
from cluster.management.output import Exit, run_document
from cluster.models import Cluster, Run, User
from cluster.review import ask_for_plan, confirm

State = Run.State
_ENDS = {
    State.PLANNED: Exit.CHANGES,
    State.CONFIRMING: Exit.UNCONFIRMED,
    State.CONVERGED: Exit.DONE,
    State.RETURNED: Exit.PARTIAL,
    State.PARTIAL: Exit.PARTIAL,
    State.STALE: Exit.REFUSED,
    State.REFUSED: Exit.REFUSED,
    State.CANCELLED: Exit.REFUSED,
}


def make_plan(cluster: Cluster, person: User, actor: Actor) -> Run:
    """Return a run with a plan, or one that ended because there can be or is none."""
    review = ask_for_plan(cluster, person, actor)
    if review.is_busy:
        text = _("Run %(run)s is in progress. Plan again when it has ended.")
        raise Stopped(Exit.ERROR, text % {"run": review.run})
    bring_to_plan(review.run)
    return review.run


def bring_to_plan(run: Run) -> None:
    attend(run, lambda run: run.state != State.PLANNING, lambda: None)


def queue(run: Run, person: User, actor: Actor) -> None:
    """Confirm exactly the plan of this run."""
    try:
        confirmed = confirm(run, run.plan_hash, person, actor)
    except IntegrityError as error:
        text = _("Another run of this cluster is in progress. Nothing was sent.")
        raise Stopped(Exit.ERROR, text, run=run_document(run)) from error
    if not confirmed:
        run.refresh_from_db()
        text = _("This plan can no longer be applied: plan again.")
        raise Stopped(Exit.REFUSED, text, run=run_document(run))
    run.refresh_from_db()


def answer_for(run: Run, *messages: str) -> Answer:
    return Answer(_ENDS[State(run.state)], messages, {"run": run_document(run)})


def is_waiting(run: Run) -> bool:
    """Whether the run is applied and somebody has to say keep."""
    return run.state == State.CONFIRMING and run.kept_at is None


def keep_command(run: Run) -> str:
    """Return what to type to keep a run that was applied."""
    words = ["manage.py", "apply", run.cluster.slug, "--run", str(run.pk), "--keep"]
    return _("Applied and read back; undone unless it is kept in time: %(command)s") % {
        "command": shlex.join(words)
    }


def next_command(run: Run) -> str:
    """Return what to type to apply exactly this plan."""
    words = ["manage.py", "apply", run.cluster.slug, "--run", str(run.pk)]
    words += ["--confirm", run.cluster.name] if run.cautions else ["--yes"]
    return _("To apply exactly this plan: %(command)s") % {"command": shlex.join(words)}
