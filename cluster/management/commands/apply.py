"""Apply a plan: the one of --run, or what is wanted now, planned and shown first.

What is confirmed is the plan that was shown: if the hosts have changed since, the run
ends and nothing is sent. A run that was confirmed before goes on. With a confirm window
the hosts take the run back by themselves unless --keep, or the answer "keep", comes in
time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from cluster.management.attendance import attend, progress
from cluster.management.base import Answer, ClusterCommand, Stopped
from cluster.management.output import Exit, run_document, show_account, show_plan
from cluster.management.planned import (
    answer_for,
    bring_to_plan,
    is_waiting,
    keep_command,
    make_plan,
    next_command,
    queue,
)
from cluster.models import Cluster, Run
from cluster.review import keep

State = Run.State


class Command(ClusterCommand):
    help = __doc__ or ""
    acts = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--run", type=int, help="the plan that was seen")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--keep",
            action="store_true",
            help="with a confirm window: keep what was applied and read back",
        )
        parser.add_argument(
            "--confirm",
            metavar="NAME",
            help="the name of the cluster, when the plan has reasons for a second look",
        )

    def answer(self, cluster: Cluster, options: dict[str, Any]) -> Answer:
        run = self._run(cluster, options["run"])
        if run.state == State.PLANNED:
            show_plan(self.output, run)
            self.output.line()
            self._confirm(run, options)
        elif run.is_final:
            return self._over(run, asked_for=options["run"] is not None)
        if run.state != State.CONFIRMING:
            self._carry_out(run, lambda run: run.is_final or is_waiting(run))
        if is_waiting(run) and self._keep(run, options):
            self._carry_out(run, lambda run: run.is_final)
        if is_waiting(run):
            return answer_for(run, keep_command(run))
        show_account(self.output, run)
        return answer_for(run)

    def _keep(self, run: Run, options: dict[str, Any]) -> bool:
        """Say keep in the name of the person, if that is what they want."""
        wanted = options["keep"]
        if not wanted:
            question = _("Applied and read back. Type keep, or it is undone: ")
            wanted = self._ask(question) == "keep"
        if wanted and not keep(run, self.person, self.actor):
            self.output.line(_("It was too late to keep it."))
        run.refresh_from_db()
        return bool(wanted)

    def _run(self, cluster: Cluster, number: int | None) -> Run:
        if number is None:
            return make_plan(cluster, self.person, self.actor)
        related = ("cluster", "revision")
        run = cluster.runs.select_related(*related).filter(pk=number).first()
        if run is None:
            text = _("This cluster has no run #%(number)s.")
            raise Stopped(Exit.ERROR, text % {"number": number})
        if run.state == State.PLANNING:
            bring_to_plan(run)
        return run

    def _over(self, run: Run, *, asked_for: bool) -> Answer:
        show_account(self.output, run)
        if not asked_for or run.state == State.CONVERGED:
            return answer_for(run)
        text = _("This plan can no longer be applied: plan again.")
        raise Stopped(Exit.REFUSED, text, run=run_document(run))

    def _confirm(self, run: Run, options: dict[str, Any]) -> None:
        """Queue the run, or stop when nobody has said yes."""
        if run.cautions:
            question = _("Type %(name)s to apply this: ") % {"name": run.cluster.name}
            typed = options["confirm"]
            if typed is None:
                typed = self._ask(question)
            said_yes = typed == run.cluster.name
            why = _("Reasons for a second look: this needs --confirm %(name)s.")
        else:
            said_yes = options["yes"] or options["confirm"] == run.cluster.name
            said_yes = said_yes or self._ask(_("Type yes to apply this: ")) == "yes"
            why = _("Nobody has confirmed this plan: --yes does.")
        if not said_yes:
            text = why % {"name": run.cluster.name}
            raise Stopped(
                Exit.UNCONFIRMED,
                text + " " + _("Nothing was sent."),
                next_command(run),
                run=run_document(run),
            )
        queue(run, self.person, self.actor)

    def _ask(self, question: str) -> str:
        """Ask at the terminal; without one the answer is empty."""
        return self.output.ask(question) if self.output.is_terminal else ""

    def _carry_out(self, run: Run, over: Callable[[Run], bool]) -> None:
        try:
            with progress(run, self.output) as showing:
                attend(run, over, showing.tell)
        except KeyboardInterrupt as error:
            run.refresh_from_db()
            text = _(
                "Interrupted. Run %(run)s goes on when a worker takes it, or with:"
                " manage.py apply %(slug)s --run %(number)s"
            )
            values = {"run": run, "slug": run.cluster.slug, "number": run.pk}
            raise Stopped(Exit.ERROR, text % values, run=run_document(run)) from error
