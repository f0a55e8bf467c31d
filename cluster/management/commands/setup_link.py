"""Print the one-time link that makes the first administrator."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.urls import reverse

from cluster import setup_link


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--base",
            default=f"http://127.0.0.1:{settings.WEB_PORT}",
            help="how the browser reaches the dashboard",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        base = options["base"].rstrip("/")
        if not setup_link.is_needed():
            self.stdout.write(
                f"Set up already. Log in at {base}{reverse('cluster:login')}"
            )
            return
        url = reverse("cluster:setup", args=[setup_link.make()])
        self.stdout.write(f"{base}{url}")
