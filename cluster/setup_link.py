"""The one-time set-up link: the only way to the first account.

There is no default account. Whoever can read the console (or the data directory) gets
a link with 32 random bytes; only their SHA-256 is kept, with an expiry, in a file that
is deleted by the first use. Once anybody has an account, no link is valid any more.
"""

import hashlib
import hmac
import json
import os
import secrets
import time
from pathlib import Path

from django.conf import settings

from cluster.models import User

LIFETIME = 24 * 60 * 60


def path() -> Path:
    return Path(settings.DATA) / "setup-token"


def is_needed() -> bool:
    return not User.objects.exists()


def make() -> str:
    """Return a new token; an older one stops working."""
    token = secrets.token_urlsafe(32)
    record = {"sha256": _digest(token), "expires": time.time() + LIFETIME}
    scratch = path().with_suffix(".new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(record, file)
    scratch.replace(path())
    return token


def is_valid(token: str) -> bool:
    """Say whether the token opens the set-up now."""
    try:
        record = json.loads(path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    same = hmac.compare_digest(record["sha256"], _digest(token))
    return same and time.time() < record["expires"] and is_needed()


def use_up() -> bool:
    """Make the link invalid; False when somebody else was faster."""
    try:
        path().unlink()
    except FileNotFoundError:
        return False
    return True


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
