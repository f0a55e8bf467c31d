"""Encrypt every stored private key anew, with the first of the encryption keys.

To change the key: put a new one (``--new-key`` prints one) as the first line of
keys/encryption_key, restart, run this, and only then take the old line out.
"""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from cluster import audit
from cluster.audit import Action, Actor
from cluster.lvs.words import say
from cluster.models import Credential


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--new-key", action="store_true", help="print a new key and do nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new_key"]:
            self.stdout.write(Fernet.generate_key().decode())
            return
        count = rotate()
        self.stdout.write(f"{count} keys are encrypted with the first key now.")


def rotate() -> int:
    """All or nothing: one key that cannot be read leaves every row as it was."""
    with transaction.atomic():
        credentials = list(Credential.objects.select_for_update())
        for credential in credentials:
            try:
                private = credential.unseal()
            except (InvalidToken, ValueError) as error:
                raise CommandError(
                    f"The key {credential.name} cannot be decrypted with any of the "
                    "encryption keys. Nothing was changed."
                ) from error
            credential.seal(private)
            credential.save(update_fields=["sealed"])
        text = say("Encrypted {count} SSH keys anew", count=len(credentials))
        audit.append(Actor(), Action.HOST, text)
    return len(credentials)
