"""Print what prepares a host for a reboot: commands for root, two units of systemd."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cluster.lvs import boot_place


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", default=boot_place.USER)

    def handle(self, *args: Any, **options: Any) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", options["user"]):
            raise CommandError("That is no user name.")
        self.stdout.write(boot_place.install(options["user"]))
