"""Let the tests empty a table that the product only lets grow.

A test that commits is followed by a flush of all tables. Our triggers refuse that
for the audit log, as they must, so they are set aside for the flush alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test import TransactionTestCase

from cluster.models import AuditEvent, AuditHead

_flush = TransactionTestCase._fixture_teardown


def install() -> None:
    """Make every flush after a test leave the database as the migrations made it."""
    TransactionTestCase._fixture_teardown = _flush_all  # type: ignore[method-assign]


def _flush_all(case: TransactionTestCase) -> None:
    with _without_triggers():
        _flush(case)
    AuditHead.objects.get_or_create(pk=1)


@contextmanager
def _without_triggers() -> Iterator[None]:
    if connection.vendor == "postgresql":
        _run("SET session_replication_role = replica")
        yield
        _run("SET session_replication_role = origin")
        return
    table = AuditEvent._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            " AND tbl_name = %s",
            [table],
        )
        triggers = cursor.fetchall()
    for name, _ in triggers:
        _run(f"DROP TRIGGER {name}")
    yield
    for _, definition in triggers:
        _run(definition)


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
