"""Run the dashboard: pages, live streams, workers, clock and, by default, broker."""

from typing import Any

from django.conf import settings
from django.core.management import (
    BaseCommand,
    CommandError,
    CommandParser,
    call_command,
)
from django.db import connection

from cluster import setup_link
from piranha_web.supervisor.ledger import AlreadyServed
from piranha_web.supervisor.loop import NotReady
from piranha_web.supervisor.serve import NAMES, CannotServe, replace_by, serve


class Command(BaseCommand):
    help = "Run the whole dashboard and restart what dies. Ctrl-C stops everything."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=settings.WEB_PORT)
        parser.add_argument("--events-port", type=int, default=settings.EVENTS_PORT)
        parser.add_argument(
            "--only",
            choices=NAMES,
            help="become just this process, for systemd or a container",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        where = options["bind"], options["port"], options["events_port"]
        try:
            if options["only"]:
                replace_by(options["only"], *where)
            else:
                serve(*where, announce=self.announce)
        except (AlreadyServed, CannotServe, NotReady) as error:
            raise CommandError(str(error)) from error

    def announce(self, url: str) -> None:
        """Tell the person at the console where to look, the first one how to begin."""
        self.stdout.write(f"\nThe dashboard is at {url}\n")
        if setup_link.is_needed():
            self.stdout.write("It has no account yet. Open this link, it works once:\n")
            call_command("setup_link", base=url, stdout=self.stdout)
        connection.close()
        self.stdout.write("\nCtrl-C stops it.\n")
        self.stdout.flush()
