"""What follows from the rows of a cluster's wish alone, worked out once for all who ask.

Each change of the wish writes an event to the audit log in its own transaction, and so
does each run. So what was read stays true until the log is longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from cluster import draft
from cluster.models import AuditHead, Cluster

T = TypeVar("T")


class Kept(Generic[T]):
    """Ask *read* again only when somebody has written to the audit log since.

    Not for a transaction that has changed the wish itself: its event may still be
    missing, or be taken back.
    """

    MOST = 64

    def __init__(self, read: Callable[[Cluster], T]) -> None:
        self._read = read
        self._found: dict[int, tuple[int, T]] = {}

    def __call__(self, cluster: Cluster) -> T:
        # First the number: what is written from here on shows in the next one.
        seq = AuditHead.objects.values_list("seq", flat=True).get(pk=1)
        known = self._found.get(cluster.pk)
        if known is None or known[0] != seq:
            if len(self._found) >= self.MOST:
                self._found.clear()
            known = self._found[cluster.pk] = (seq, self._read(cluster))
        return known[1]

    def forget(self) -> None:
        self._found.clear()


# What was edited since the newest revision, for pages that only show it.
draft_edits = Kept(draft.draft_edits)
