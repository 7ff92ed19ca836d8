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
from math import isfinite

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
        keys = connection.execute(sa.text(f"SELECT {key} FROM {table}")).scalars().all()
        read = sa.text(f"SELECT {', '.join(columns)} FROM {table} WHERE {key} = :key")
        changes = ", ".join(f"{column} = :{column}" for column in columns)
        write = sa.text(f"UPDATE {table} SET {changes} WHERE {key} = :key")
        # One by one: all documents together may be more than fits into memory.
        for each in keys:
            found = connection.execute(read, {"key": each}).mappings().one()
            spelled = {column: _respelled(found[column]) for column in columns}
            if spelled != dict(found):
                connection.execute(write, {**spelled, "key": each})


def downgrade() -> None:
    pass


def _respelled(document: str | None) -> str | None:
    """Return the document as the models write it; what they could not read stays as it is."""
    if document is None:
        return None
    try:
        spelled = _spelled(json.loads(document))
        spelled.encode()
    except (ValueError, RecursionError):
        return document
    return spelled


def _spelled(value: object) -> str:
    if isinstance(value, dict):
        members = (f"{_spelled(key)}:{_spelled(value[key])}" for key in sorted(value))
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_spelled, value))}]"
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("JSON has no such number")
    if isinstance(value, float) and abs(value) >= 1e16:
        return f"{Decimal(repr(value)):f}.0"
    if isinstance(value, float):
        return repr(value + 0.0)
    return json.dumps(value, ensure_ascii=False)


# --- end ---
