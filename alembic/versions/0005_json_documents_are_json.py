"""JSON documents are JSON

The database's own type wherever it has one: JSONB on PostgreSQL, JSON on MySQL and MariaDB, TEXT on
SQLite. PostgreSQL's documents were encoded twice, and are decoded here:

- a JSON string that holds JSON is the document that it holds, once decoded: a document which is
  itself a string that looks like JSON stays a string;
- any other value is a document already, and a JSON string that holds no JSON is a plain string;
- results that were not there are SQL NULL now; the old code stored None as the JSON null. The
  parameters None stay the JSON null. Both are read as None, as before.

What the native types cannot hold makes the upgrade fail before anything is lost: NaN and infinity,
and on PostgreSQL NUL characters and halves of surrogate pairs. Correct such documents first. On
MySQL and MariaDB, where each column is changed by itself, simply run the upgrade again then.

Going down encodes PostgreSQL's documents twice again, as the old code reads them.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-23 09:16:40
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# --- by hand: how PostgreSQL's documents are decoded, for as long as this revision runs ---
DECODED = r"""
CREATE FUNCTION pg_temp.topchef_decoded(document json) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    content text;
BEGIN
    IF json_typeof(document) <> 'string' THEN
        RETURN document::jsonb;
    END IF;
    content := document #>> '{}';
    BEGIN
        PERFORM content::json;
    EXCEPTION WHEN invalid_text_representation THEN
        IF content IN ('NaN', 'Infinity', '-Infinity')
        OR content ~ '^\s*[[{].*\m(NaN|Infinity)\M' THEN
            RAISE EXCEPTION 'JSON has no NaN and no Infinity: %', left(content, 200);
        END IF;
        RETURN document::jsonb;
    END;
    RETURN content::jsonb;
END
$$
"""
RESULT = """
CREATE FUNCTION pg_temp.topchef_result(document json) RETURNS jsonb LANGUAGE sql AS $$
SELECT CASE WHEN json_typeof(document) <> 'null' THEN pg_temp.topchef_decoded(document) END
$$
"""
# --- end ---


def upgrade() -> None:
    # --- by hand: PostgreSQL takes no query where a column changes its type, but functions ---
    backend = op.get_context().dialect.name
    if backend == "postgresql":
        op.execute(DECODED)
        op.execute(RESULT)
    # --- end ---
    with op.batch_alter_table("services") as batch_op:
        batch_op.alter_column(
            "job_registration_schema",
            existing_type=sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(astext_type=sa.Text()), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mariadb", "mysql"),
            type_=sa.Text()
            .with_variant(postgresql.JSONB(), "postgresql")
            .with_variant(mysql.JSON(), "mysql", "mariadb"),
            existing_nullable=False,
            postgresql_using="pg_temp.topchef_decoded(job_registration_schema)",  # by hand
        )
        batch_op.alter_column(
            "job_result_schema",
            existing_type=sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(astext_type=sa.Text()), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mariadb", "mysql"),
            type_=sa.Text()
            .with_variant(postgresql.JSONB(), "postgresql")
            .with_variant(mysql.JSON(), "mysql", "mariadb"),
            existing_nullable=False,
            postgresql_using="pg_temp.topchef_decoded(job_result_schema)",  # by hand
        )
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.alter_column(
            "parameters",
            existing_type=sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(astext_type=sa.Text()), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mariadb", "mysql"),
            type_=sa.Text()
            .with_variant(postgresql.JSONB(), "postgresql")
            .with_variant(mysql.JSON(), "mysql", "mariadb"),
            existing_nullable=False,
            postgresql_using="pg_temp.topchef_decoded(parameters)",  # by hand
        )
        batch_op.alter_column(
            "results",
            existing_type=sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(astext_type=sa.Text()), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mariadb", "mysql"),
            type_=sa.Text()
            .with_variant(postgresql.JSONB(), "postgresql")
            .with_variant(mysql.JSON(), "mysql", "mariadb"),
            existing_nullable=True,
            postgresql_using="pg_temp.topchef_result(results)",  # by hand
        )
    # --- by hand: they would live as long as the session ---
    if backend == "postgresql":
        op.execute("DROP FUNCTION pg_temp.topchef_result(json)")
        op.execute("DROP FUNCTION pg_temp.topchef_decoded(json)")
    # --- end ---


def downgrade() -> None:
    # --- by hand: a server that is not strict would cut off what does not fit, without a word ---
    backend = op.get_context().dialect.name
    if backend in ("mariadb", "mysql"):
        op.execute("SET @topchef_sql_mode = @@SESSION.sql_mode")
        op.execute("SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES')")
    # --- end ---
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.alter_column(
            "results",
            existing_type=sa.Text()
            .with_variant(postgresql.JSONB(), "postgresql")
            .with_variant(mysql.JSON(), "mysql", "mariadb"),
            type_=sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(astext_type=sa.Text()), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mariadb", "mysql"),
            existing_nullable=True,
            postgresql_using="to_json(results::text)",  # by hand
        )
        batch_op.alter_column(
            "parameters",
            existing_type=sa.Text()
            .with_variant(postgresql.JSONB(), "postgresql")
            .with_variant(mysql.JSON(), "mysql", "mariadb"),
            type_=sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(astext_type=sa.Text()), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mariadb", "mysql"),
            existing_nullable=False,
            postgresql_using="to_json(parameters::text)",  # by hand
        )
    with op.batch_alter_table("services") as batch_op:
        batch_op.alter_column(
            "job_result_schema",
            existing_type=sa.Text()
            .with_variant(postgresql.JSONB(), "postgresql")
            .with_variant(mysql.JSON(), "mysql", "mariadb"),
            type_=sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(astext_type=sa.Text()), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mariadb", "mysql"),
            existing_nullable=False,
            postgresql_using="to_json(job_result_schema::text)",  # by hand
        )
        batch_op.alter_column(
            "job_registration_schema",
            existing_type=sa.Text()
            .with_variant(postgresql.JSONB(), "postgresql")
            .with_variant(mysql.JSON(), "mysql", "mariadb"),
            type_=sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(astext_type=sa.Text()), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mariadb", "mysql"),
            existing_nullable=False,
            postgresql_using="to_json(job_registration_schema::text)",  # by hand
        )
    # --- by hand: as it was before ---
    if backend in ("mariadb", "mysql"):
        op.execute("SET SESSION sql_mode = @topchef_sql_mode")
    # --- end ---
