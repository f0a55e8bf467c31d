"""Count failed attempts in the shared cache, so that guessing takes years.

Fixed windows: the number of the window is part of the key, `incr` is atomic in Redis,
and the waiting time is simply what is left of the window. When the cache does not
answer, its exception goes up: no unlimited attempts because a process died.
"""

import hashlib
import time
from typing import NamedTuple

from django.core.cache import cache

WINDOW = 5 * 60


class Limit(NamedTuple):
    name: str
    attempts: int

    def key(self, subject: str, now: float) -> str:
        # Hashed: subjects are typed by strangers, and cache keys have an alphabet.
        digest = hashlib.sha256(subject.casefold().encode()).hexdigest()[:32]
        return f"attempts:{self.name}:{digest}:{int(now // WINDOW)}"


PER_ADDRESS = Limit("address", 20)
PER_ACCOUNT = Limit("account", 5)
PER_ADDRESS_SETUP = Limit("setup", 10)
PER_ADDRESS_METRICS = Limit("metrics", 20)


def waiting(limit: Limit, subject: str) -> int:
    """Return the seconds to wait before the next attempt, 0 when it may be made."""
    now = time.time()
    used = cache.get(limit.key(subject, now), 0)
    return int(WINDOW - now % WINDOW) + 1 if used >= limit.attempts else 0


def failed(limit: Limit, subject: str) -> None:
    key = limit.key(subject, time.time())
    # Twice the window: the key must outlive the window whose number it carries.
    cache.add(key, 0, timeout=2 * WINDOW)
    cache.incr(key)


def forget(limit: Limit, subject: str) -> None:
    """After a success: the person has found the password."""
    cache.delete(limit.key(subject, time.time()))
