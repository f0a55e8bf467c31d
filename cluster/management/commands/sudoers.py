"""Print the sudoers file for a host of a role: what the dashboard may do there."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cluster.lvs import privileges


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", choices=privileges.ROLES)
        parser.add_argument("--user", default=privileges.USER)

    def handle(self, *args: Any, **options: Any) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", options["user"]):
            raise CommandError("That is no user name.")
        text = privileges.sudoers(options["role"], options["user"])
        self.stdout.write(text, ending="")
