"""Give memory back to the system that a storm of logins leaves behind in pieces.

What is freed stays with the process as long as anything else lies behind it: of 800
directors 16 MB, half of what is left in use. malloc_trim(3) gives back the pages between,
in 0.03 s. Python's own collector waits with the old objects until there are a quarter
more of them, and a login that is over is full of cycles.
"""

from __future__ import annotations

import ctypes
import gc
import time

CALM = 5.0
EVERY = 60.0
# So many logins at once are a storm.
STORM = 8


class Heap:
    """For one thread, which calls ``step`` again and again."""

    def __init__(self) -> None:
        self._at = 0.0
        self._after_storm = False

    def step(self, opening: int) -> None:
        """Give back what is free, every minute, and soon after many have logged in."""
        now = time.monotonic()
        if opening >= STORM:
            self._at, self._after_storm = now + CALM, True
        elif now >= self._at:
            if self._after_storm:
                gc.collect()
            give_back()
            self._at, self._after_storm = now + EVERY, False


def give_back() -> bool:
    """Return whether there was something; never, where the C library is not glibc."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return bool(trim and trim(0))
