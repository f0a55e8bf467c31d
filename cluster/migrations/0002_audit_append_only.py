"""The database itself refuses to change or delete a row of the audit log.

SQLite's INSERT OR REPLACE deletes without firing a delete trigger, so inserting an
id or a sequence number that exists is refused as well.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

_TABLE = "cluster_auditevent"
_REFUSAL = "the audit log is append-only"

_SQLITE = [
    f"""CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON {_TABLE}
    BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"""
    for verb in ("UPDATE", "DELETE")
] + [
    f"""CREATE TRIGGER audit_no_replace BEFORE INSERT ON {_TABLE}
    WHEN EXISTS (SELECT 1 FROM {_TABLE} WHERE id = NEW.id OR seq = NEW.seq)
    BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"""
]
_POSTGRESQL = [
    f"""CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$""",
    f"""CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON {_TABLE}
    FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    f"""CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON {_TABLE}
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
]


def make_triggers(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    statements = _SQLITE if editor.connection.vendor == "sqlite" else _POSTGRESQL
    for statement in statements:
        editor.execute(statement)
    apps.get_model("cluster", "AuditHead").objects.create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("cluster", "0001_initial")]
    operations = [migrations.RunPython(make_triggers, migrations.RunPython.noop)]
