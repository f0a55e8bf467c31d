"""Drain a real server: weight 0, wait until nobody is left, take it out.

Without --wait the command ends when the weight is 0; workers go on with the rest.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from cluster.drains import Proposal, Refused, begin, propose
from cluster.lvs.drain import Choice, State
from cluster.management import drains
from cluster.management.base import Answer, ClusterCommand, Stopped
from cluster.management.output import Exit, spoken
from cluster.models import Cluster, Drain

MINUTES = timedelta(minutes=1)
_REACHED = (State.OUT, *drains.UNDECIDED)
_BEGUN = (State.WAITING, State.DRAINING, *_REACHED)


class Command(ClusterCommand):
    help = __doc__ or ""
    acts = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("server", help="name or address of the real server")
        add(
            "--service",
            action="append",
            default=[],
            metavar="VIP:PORT",
            help="in this service only; may be repeated",
        )
        add("--deadline", type=drains.duration, default=10 * MINUTES, metavar="10m")
        add(
            "--at-deadline",
            choices=("ask", "cut"),
            default="ask",
            help="what to do with connections that are left then",
        )
        add("--floor", type=drains.percent, default=50, metavar="PERCENT")
        add("--stay", action="store_true", help="stay in the table at weight 0")
        add("--slow-start", type=drains.duration, default=0 * MINUTES, metavar="5m")
        add("--queue", action="store_true", help="wait until the floor allows it")
        add(
            "--keep-sysctls",
            action="store_true",
            help="do not set conn_reuse_mode where clients would lose connections",
        )
        add("--wait", action="store_true", help="until it is out, or a person decides")
        add("--yes", action="store_true", help="do not ask")

    def answer(self, cluster: Cluster, options: dict[str, Any]) -> Answer:
        address = drains.address_of(cluster, options["server"])
        only = drains.services_of(cluster, options["service"])
        proposal = propose(cluster, address, only, options["floor"])
        self._show(proposal)
        self._confirm(proposal, options)
        row = self._begin(proposal, options)
        reached = _REACHED if options["wait"] else _BEGUN
        try:
            row = drains.follow(row, lambda state: state in reached, self.output)
        except KeyboardInterrupt as error:
            text = _("Interrupted. Workers go on with the drain; restore brings back.")
            raise Stopped(Exit.ERROR, text) from error
        return drains.answer_for(row, self.output)

    def _show(self, proposal: Proposal) -> None:
        for room in proposal.rooms:
            text = _("%(at)s keeps %(left)d of %(total)d weight (%(percent)d %%)")
            values = {"left": room.left, "total": room.total, "percent": room.percent}
            self.output.line(text % (values | {"at": room.at}))

    def _confirm(self, proposal: Proposal, options: dict[str, Any]) -> None:
        if proposal.never or (proposal.not_yet and not options["queue"]):
            raise Stopped(Exit.REFUSED, *map(spoken, proposal.reasons))
        if options["yes"]:
            return
        question = _("Type yes to drain %(name)s: ") % {"name": proposal.name}
        terminal = self.output.is_terminal
        if not terminal or self.output.ask(question) != "yes":
            text = _("Nobody has confirmed this: --yes does. Nothing was sent.")
            raise Stopped(Exit.UNCONFIRMED, text)

    def _begin(self, proposal: Proposal, options: dict[str, Any]) -> Drain:
        choice = Choice(
            options["deadline"],
            cut=options["at_deadline"] == "cut",
            take_out=not options["stay"],
            slow_start=options["slow_start"],
        )
        try:
            return begin(
                proposal,
                choice,
                options["floor"],
                self.person,
                self.actor,
                may_wait=options["queue"],
                reuse=not options["keep_sysctls"],
            )
        except Refused as refused:
            raise Stopped(Exit.REFUSED, *map(spoken, refused.sentences)) from refused
