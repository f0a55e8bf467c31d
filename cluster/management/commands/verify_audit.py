"""Check the whole audit log and name the first event that is not what was written."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cluster import audit
from cluster.models import AuditHead


class Command(BaseCommand):
    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        sound, fault = audit.verify()
        if fault:
            raise CommandError(
                f"Event {fault.seq}: {fault.reason}. {sound} events before it are "
                "sound. Compare with a backup, an export or the other machine's log."
            )
        head = AuditHead.objects.get(pk=1)
        self.stdout.write(f"{sound} events are sound. Newest {head.seq}: {head.mac}")
