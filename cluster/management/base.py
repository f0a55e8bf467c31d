"""What the commands for clusters share: arguments, the person, the exit code."""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass, field
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from cluster.audit import Actor
from cluster.lvs.words import Sentence
from cluster.management.output import FORMAT, Exit, Output, spoken
from cluster.models import Cluster, User

PERSON = "PIRANHA_USER"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended, and what its JSON document has beside that."""

    exit: Exit = Exit.DONE
    messages: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


class Stopped(Exception):
    """The command cannot go on; the answer says why."""

    def __init__(self, exit_code: Exit, *messages: str, **data: Any) -> None:
        super().__init__(*messages)
        self.answer = Answer(exit_code, messages, data)


def stopped(exit_code: Exit, sentence: Sentence) -> Stopped:
    return Stopped(exit_code, spoken(sentence))


class ClusterCommand(BaseCommand):
    """One cluster, text or one JSON document, and an exit code that says what happened.

    A subclass says with *acts* whether it needs a person who may operate.
    """

    acts = False
    person: User
    output: Output

    def add_arguments(self, parser: CommandParser) -> None:
        # Wrong arguments end with 1 as every error: argparse's own 2 means changes.
        parser.called_from_command_line = False
        parser.add_argument("slug", help="the cluster, as in /clusters/SLUG/")
        parser.add_argument(
            "--json", action="store_true", help="print one JSON document"
        )
        if self.acts:
            parser.add_argument(
                "--as",
                dest="person",
                metavar="USERNAME",
                help=f"the account that does this (default: ${PERSON})",
            )

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except CommandError as error:
            self.stderr.write(f"{error} See --help.")
            sys.exit(Exit.ERROR)

    def handle(self, *args: Any, **options: Any) -> None:
        self.output = Output(self.stdout, self.stderr, as_json=options["json"])
        try:
            cluster = self._cluster(options["slug"])
            if self.acts:
                self.person = _person(options["person"])
            answer = self.answer(cluster, options)
        except Stopped as stop:
            answer = stop.answer
        for message in answer.messages:
            self.output.note(message)
        if self.output.as_json:
            self.output.document(self._document(options["slug"], answer))
        if answer.exit:
            sys.exit(answer.exit)

    def answer(self, cluster: Cluster, options: dict[str, Any]) -> Answer:
        raise NotImplementedError

    @property
    def actor(self) -> Actor:
        """Who acts, and as which user of this machine: that one was not asked for."""
        login = pwd.getpwuid(os.getuid()).pw_name
        return Actor(self.person.get_username(), f"shell of {login}"[:64])

    def _cluster(self, slug: str) -> Cluster:
        found = Cluster.objects.select_related("director").filter(slug=slug).first()
        if found is None:
            names = ", ".join(Cluster.objects.values_list("slug", flat=True)) or "-"
            text = _("There is no cluster “%(slug)s”. There are: %(names)s.")
            raise Stopped(Exit.ERROR, text % {"slug": slug, "names": names})
        return found

    def _document(self, slug: str, answer: Answer) -> dict[str, Any]:
        name = type(self).__module__.rpartition(".")[2]
        return {
            "format": FORMAT,
            "command": name,
            "cluster": slug,
            "exit": int(answer.exit),
            "outcome": answer.exit.outcome,
            "messages": list(answer.messages),
            **answer.data,
        }


def _person(name: str | None) -> User:
    name = name or os.environ.get(PERSON, "")
    if not name:
        text = _("Say who does this: --as USERNAME, or %(variable)s=USERNAME.")
        raise Stopped(Exit.ERROR, text % {"variable": PERSON})
    person = User.objects.filter(username=name, is_active=True).first()
    if person is None:
        text = _("There is no active account “%(name)s”.")
        raise Stopped(Exit.ERROR, text % {"name": name})
    if not person.may_operate:
        text = _("This needs the role operator; %(name)s has the role %(role)s.")
        values = {"name": name, "role": person.get_role_display()}
        raise Stopped(Exit.ERROR, text % values)
    return person
