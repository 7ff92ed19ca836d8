"""one spelling of documents

SQLite and MariaDB keep a JSON document as the text that was written, and compare texts. The old
code wrote {"name": "Caf\\u00e9"} where the models write {"name":"Café"}: the same document, but a
query for it would not find it. Here all documents get the spelling of the models: without spaces,
keys in order, and characters as themselves. The other databases have one spelling of their own.

It takes a program to do that: a script leaves the documents as they are, and says so. Going down
leaves them too, because the old code reads either spelling.

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-23 09:21:40
"""

import json
from collections.abc import Sequence
from decimal import Decimal

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# --- by hand: all of it, for no table is changed ---
DOCUMENTS = (
    ("services", "service_id", ("job_registration_schema", "job_result_schema")),
    ("jobs", "job_id", ("parameters", "results")),
)


def upgrade() -> None:
    context = op.get_context()
    if context.dialect.name != "sqlite" and not getattr(context.dialect, "is_mariadb", False):
        return
    if context.as_sql:
        op.execute("-- documents keep the old spelling: only topchef-db upgrade 0010 rewrites them")
        return
    connection = op.get_bind()
    for table, key, columns in DOCUMENTS:
        for column in columns:
            written = sa.text(f"UPDATE {table} SET {column} = :document WHERE {key} = :key")
            read = sa.text(f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL")
            for identity, document in connection.execute(read).all():
                spelled = _respelled(document)
                if spelled != document:
                    connection.execute(written, {"document": spelled, "key": identity})


def downgrade() -> None:
    pass


def _respelled(document: str) -> str:
    """Return the document as the models write it; what they could not read stays as it is."""
    try:
        return _spelled(json.loads(document))
    except ValueError:
        return document


def _spelled(value: object) -> str:
    if isinstance(value, dict):
        members = (f"{_spelled(key)}:{_spelled(value[key])}" for key in sorted(value))
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_spelled, value))}]"
    if isinstance(value, float) and abs(value) >= 1e16:
        return f"{Decimal(repr(value)):f}.0"
    if isinstance(value, float):
        return repr(value + 0.0)
    return json.dumps(value, ensure_ascii=False)


# --- end ---
