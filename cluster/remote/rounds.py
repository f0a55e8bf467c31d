"""Reads many connections in one thread, all that have something at the same moment.

Two hundred threads that each wake up for one packet find nothing in the caches of the
processor. Here nobody may block: see together.py for those that have to.
"""

import select
import threading
import time
from collections.abc import Callable

# So long after something has come a round begins: whatever came meanwhile is read together.
PAUSE = 0.05
Work = Callable[[], None]
# Reads what has come; returns work that may block, or None to be called again.
Look = Callable[[], Work | None]


class Rounds:
    """Its thread begins with the first descriptor, and lives as long as the process."""

    def __init__(self) -> None:
        self._waiting = select.epoll()
        self._looks: dict[int, Look] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, descriptor: int, look: Look) -> None:
        """Call *look* whenever there is something to read, until it returns work.

        The descriptor is forgotten then, and the work begins in a thread of its own.
        """
        with self._lock:
            self._looks[descriptor] = look
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._go_round, name="rounds", daemon=True
                )
                self._thread.start()
        self._waiting.register(descriptor, select.EPOLLIN)

    def _go_round(self) -> None:
        while True:
            self._waiting.poll()
            time.sleep(PAUSE)
            for descriptor, _event in self._waiting.poll(0):
                work = self._looks[descriptor]()
                if work is not None:
                    self._waiting.unregister(descriptor)
                    del self._looks[descriptor]
                    threading.Thread(target=work, daemon=True).start()


ROUNDS = Rounds()
