"""Plan what is wanted now: ask the hosts and show each command with its undo.

Nothing on any host is changed.
"""

from __future__ import annotations

from typing import Any

from cluster.management.base import Answer, ClusterCommand
from cluster.management.output import show_account, show_plan
from cluster.management.planned import answer_for, make_plan, next_command
from cluster.models import Cluster, Run


class Command(ClusterCommand):
    help = __doc__ or ""
    acts = True

    def answer(self, cluster: Cluster, options: dict[str, Any]) -> Answer:
        run = make_plan(cluster, self.person, self.actor)
        if run.state == Run.State.PLANNED:
            show_plan(self.output, run)
            self.output.line()
            self.output.line(next_command(run))
        else:
            show_account(self.output, run)
        return answer_for(run)
