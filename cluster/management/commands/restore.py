"""Bring a drained real server back with its old weight, or stop its drain.

Without --wait the command ends with the first step of a slow start.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from cluster.drains import tell
from cluster.lvs.drain import Event, NotPossible, State
from cluster.management import drains
from cluster.management.base import Answer, ClusterCommand, Stopped
from cluster.management.output import Exit
from cluster.models import Cluster, Drain
from cluster.models.drains import Moved


class Command(ClusterCommand):
    help = __doc__ or ""
    acts = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("server", help="name or address of the real server")
        add("--slow-start", type=drains.duration, metavar="5m")
        add("--wait", action="store_true", help="until it has its old weight")

    def answer(self, cluster: Cluster, options: dict[str, Any]) -> Answer:
        row = self._drain(cluster, options["server"])
        slow = options["slow_start"]
        try:
            tell(row, Event.BACK, self.person, self.actor, slow_start=slow)
        except (NotPossible, Moved) as error:
            text = _("%(name)s is on its way already: %(state)s.")
            values = {"name": row, "state": row.get_state_display()}
            raise Stopped(Exit.REFUSED, text % values) from error

        def over(state: State) -> bool:
            now = Drain.objects.get(pk=row.pk)
            return state is State.PAUSED or (not options["wait"] and now.risen)

        try:
            done = drains.follow(row, over, self.output)
        except KeyboardInterrupt as error:
            text = _("Interrupted. Workers go on and bring it back.")
            raise Stopped(Exit.ERROR, text) from error
        return drains.answer_for(done, self.output)

    def _drain(self, cluster: Cluster, word: str) -> Drain:
        found = cluster.drains.open().select_related("cluster")
        for row in found:
            if word in (row.name, row.address):
                return row
        text = _("“%(name)s” is not drained. Drains: %(names)s.")
        names = ", ".join(str(row) for row in found) or "-"
        raise Stopped(Exit.ERROR, text % {"name": word, "names": names})
