"""What many ask for, worked out once for all of them as long as it stays true.

Of the wish of a cluster: each change of it writes an event to the audit log in its own
transaction, and so does each run. So what was read stays true until the log is longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

from cluster import draft
from cluster.models import AuditHead, Cluster

T = TypeVar("T")
M = TypeVar("M", bound=Model)


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
        ((seq,),) = _head(1)
        known = self._found.get(cluster.pk)
        if known is None or known[0] != seq:
            if len(self._found) >= self.MOST:
                self._found.clear()
            known = self._found[cluster.pk] = (seq, self._read(cluster))
        return known[1]

    def forget(self) -> None:
        self._found.clear()


class KeptQuery:
    """A query that is put together once; the database is asked every time."""

    MOST = 64

    def __init__(self, query: Callable[[int], QuerySet[Any, Any]]) -> None:
        self._query = query
        self._asked: dict[int, tuple[str, tuple[Any, ...]]] = {}

    def __call__(self, pk: int) -> list[tuple[Any, ...]]:
        asked = self._asked.get(pk)
        if asked is None:
            if len(self._asked) >= self.MOST:
                self.forget()
            query = self._query(pk).query
            asked = query.get_compiler(connection=connection).as_sql()
            self._asked[pk] = asked
        with connection.cursor() as cursor:
            cursor.execute(*asked)
            return list(cursor.fetchall())

    def forget(self) -> None:
        self._asked.clear()


class KeptRows(Generic[M]):
    """What a query finds, made into objects again only when a row is another one.

    The database is asked every time. What costs five times as much is to put the query
    together and to make objects of rows that are as they were. The objects are for all
    who ask: only to be read, and nothing that belongs to another row through them.
    """

    MOST = 64

    def __init__(self, query: Callable[[int], QuerySet[M]]) -> None:
        self._query, self._rows = query, KeptQuery(query)
        self._found: dict[int, tuple[list[tuple[Any, ...]], tuple[M, ...]]] = {}

    def __call__(self, pk: int) -> tuple[M, ...]:
        # First the rows: what is written from here on shows in the next ones.
        rows = self._rows(pk)
        known = self._found.get(pk)
        if known is None or known[0] != rows:
            if len(self._found) >= self.MOST:
                self._found.clear()
            known = self._found[pk] = (rows, tuple(self._query(pk)))
        return known[1]

    def forget(self) -> None:
        self._rows.forget()
        self._found.clear()


# The number of the newest event, as a row of its own.
_head = KeptQuery(lambda pk: AuditHead.objects.filter(pk=pk).values_list("seq"))
# What was edited since the newest revision, for pages that only show it.
draft_edits = Kept(draft.draft_edits)
