"""Whatever is done to the audit log behind our back is found, and the place named."""

# ruff: noqa: S608 (statements of our own, to do harm)

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from cluster import audit
from cluster.audit import Action, Actor, append
from cluster.lvs.words import say
from cluster.models import AuditEvent, AuditHead
from tests.tampering import without_triggers

pytestmark = pytest.mark.django_db
TABLE = "cluster_auditevent"
COLUMNS = ", ".join(
    field.column for field in AuditEvent._meta.concrete_fields if field.name != "id"
)


@pytest.fixture
def log(db):
    for n in range(1, 8):
        append(Actor("li"), Action.CHANGED, say("Event {n}", n=n), command=f"c{n}")


def tamper(*statements):
    with without_triggers(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def copied(seq, new_seq):
    """Return SQL that copies an event, MAC and all, to another number."""
    source = COLUMNS.replace("seq", str(new_seq), 1)
    return (
        f"INSERT INTO {TABLE} ({COLUMNS}) SELECT {source} FROM {TABLE} WHERE seq={seq}"
    )


CASES = {
    "edited": ([f"UPDATE {TABLE} SET command='rm' WHERE seq=4"], 4),
    "exit status": ([f"UPDATE {TABLE} SET exit_status=0 WHERE seq=2"], 2),
    "time": ([f"UPDATE {TABLE} SET at='2026-01-01 00:00:00' WHERE seq=3"], 3),
    "deleted": ([f"DELETE FROM {TABLE} WHERE seq=3"], 3),
    "first deleted": ([f"DELETE FROM {TABLE} WHERE seq=1"], 1),
    "tail cut": ([f"DELETE FROM {TABLE} WHERE seq>5"], 6),
    "all deleted": ([f"DELETE FROM {TABLE}"], 1),
    "swapped": (
        [
            f"UPDATE {TABLE} SET seq=-1 WHERE seq=3",
            f"UPDATE {TABLE} SET seq=3 WHERE seq=4",
            f"UPDATE {TABLE} SET seq=4 WHERE seq=-1",
        ],
        3,
    ),
    "replaced by another": ([f"DELETE FROM {TABLE} WHERE seq=5", copied(2, 5)], 5),
    "added at the end": ([copied(7, 8)], 8),
    "tail cut with its head": (
        [
            f"DELETE FROM {TABLE} WHERE seq=7",
            "UPDATE cluster_audithead SET seq=6",
        ],
        7,
    ),
}


def test_what_nobody_touched_is_sound(log, capsys):
    call_command("verify_audit")
    head = AuditHead.objects.get()
    assert f"7 events are sound. Newest 7: {head.mac}" in capsys.readouterr().out


def test_an_empty_log_is_sound(db, capsys):
    call_command("verify_audit")
    assert "0 events are sound" in capsys.readouterr().out


@pytest.mark.parametrize("name", CASES)
def test_it_names_the_first_bad_event(log, name):
    statements, seq = CASES[name]
    tamper(*statements)
    with pytest.raises(CommandError, match=f"^Event {seq}: ") as caught:
        call_command("verify_audit")
    assert caught.value.returncode == 1


def test_another_key_fits_nothing(log, settings):
    settings.AUDIT_KEY = b"stolen from another installation"
    assert audit.verify() == (0, audit.Fault(1, "changed"))


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {TABLE} SET command='rm' WHERE seq=4",
        f"DELETE FROM {TABLE} WHERE seq=4",
        f"UPDATE {TABLE} SET mac=''",
    ],
)
def test_the_database_itself_refuses(log, statement):
    refused = pytest.raises(DatabaseError, match="append-only")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert audit.verify() == (7, None)


def test_writers_meanwhile_raise_no_false_alarm(log, monkeypatch):
    """An event that comes while the log is read belongs to the next check."""
    real = audit._up_to

    def slow(seq):
        for event in real(seq):
            if event.seq == 2:
                append(Actor(), Action.SIGNED_IN, say("Signed in"))
            yield event

    monkeypatch.setattr(audit, "_up_to", slow)
    assert audit.verify() == (7, None)
