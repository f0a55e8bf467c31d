"""Somebody with the database in hands: the triggers are out of the way for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def without_triggers() -> Iterator[None]:
    """Take the triggers off the audit log for the length of the block."""
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE cluster_auditevent DISABLE TRIGGER USER")
            yield
            cursor.execute("ALTER TABLE cluster_auditevent ENABLE TRIGGER USER")
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'trigger' AND tbl_name = 'cluster_auditevent'"
        )
        triggers = cursor.fetchall()
        assert triggers
        for name, _sql in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
        yield
        for _name, sql in triggers:
            cursor.execute(sql)
