"""Serve the dashboard in front of the running lab: its hosts are registered first."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from cluster.models import Cluster

PATIENCE = 120.0


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.WEB_PORT)
        parser.add_argument("--events-port", type=int, default=settings.EVENTS_PORT)

    def handle(self, *args: Any, **options: Any) -> None:
        self._wait_for_the_lab()
        call_command("migrate", interactive=False, verbosity=0)
        call_command("register_lab", stdout=self.stdout)
        self._show_hosts()
        call_command(
            "serve",
            bind=options["bind"],
            port=options["port"],
            events_port=options["events_port"],
        )

    def _wait_for_the_lab(self) -> None:
        """The lab writes the file when its hosts answer."""
        deadline = time.monotonic() + PATIENCE
        told = False
        while not settings.LAB_HOSTS_FILE.exists():
            if not told:
                self.stdout.write("Waiting for the lab (make lab) ...")
                self.stdout.flush()
                told = True
            if time.monotonic() > deadline:
                raise CommandError(
                    f"The lab has not come up: {settings.LAB_HOSTS_FILE} is missing. "
                    "Start it with: make lab"
                )
            time.sleep(0.5)

    def _show_hosts(self) -> None:
        table = Table(title='Cluster "lab"', title_justify="left")
        for heading in ("Host", "Role", "Address", "SSH"):
            table.add_column(heading)
        for host in Cluster.objects.get(slug="lab").hosts.all():
            ssh = f"{host.ssh_user}@{host.ssh_address}:{host.ssh_port}"
            table.add_row(host.name, host.get_role_display(), host.address, ssh)
        Console(file=self.stdout).print(table)  # type: ignore[arg-type]
