"""Reading only what has changed gives what reading everything gives, whatever was changed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from topchef_schema.backends import named

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase

pytestmark = pytest.mark.backends("postgresql")

STATEMENTS = """
CREATE TABLE {new} (id serial PRIMARY KEY, name text DEFAULT 'x', size int CHECK (size > 0))
CREATE TABLE {new} (id int GENERATED ALWAYS AS IDENTITY, other int, UNIQUE (id))
CREATE TABLE {new} (LIKE {table} INCLUDING ALL)
CREATE TABLE {new} () INHERITS ({table})
CREATE TABLE {new} (id int, at date) PARTITION BY RANGE (at)
CREATE TABLE {new} PARTITION OF {table} FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')
CREATE TABLE other.{new} (id int)
ALTER TABLE {table} ADD COLUMN {word} varchar(20)
ALTER TABLE {table} ADD COLUMN {word} int GENERATED ALWAYS AS (id * 2) STORED
ALTER TABLE {table} DROP COLUMN {column} CASCADE
ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar(40)
ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL
ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL
ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT NULL
ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT
ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 7
ALTER TABLE {table} RENAME TO {new}
ALTER TABLE {table} RENAME COLUMN {column} TO {word}
ALTER TABLE {table} SET SCHEMA other
ALTER TABLE other.{table} SET SCHEMA public
ALTER TABLE {table} ADD CONSTRAINT {word} FOREIGN KEY (id) REFERENCES {table2} (id) NOT VALID
ALTER TABLE {table} VALIDATE CONSTRAINT {word}
ALTER TABLE {table} ADD CONSTRAINT {word} CHECK (id IS NOT NULL)
ALTER TABLE {table} DROP CONSTRAINT {word} CASCADE
ALTER TABLE {table} RENAME CONSTRAINT {word} TO {word2}
ALTER TABLE {table} SET (fillfactor = 70)
ALTER TABLE {table} SET (toast.autovacuum_enabled = false)
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY
ALTER TABLE {table} DISABLE TRIGGER ALL
ALTER TABLE {table} ENABLE TRIGGER ALL
ALTER TABLE {table} REPLICA IDENTITY FULL
ALTER TABLE {table} INHERIT {table2}
ALTER TABLE {table} NO INHERIT {table2}
DROP TABLE {table} CASCADE
CREATE INDEX {word} ON {table} ({column})
CREATE UNIQUE INDEX {word} ON {table} (lower({column}::text)) WHERE id > 3
ALTER INDEX {word} RENAME TO {word2}
DROP INDEX {word}
CLUSTER {table} USING {word}
CREATE VIEW {new} AS SELECT * FROM {table}
CREATE VIEW {new} AS SELECT a.id FROM {table} a JOIN {table2} b USING (id)
CREATE OR REPLACE RULE {word} AS ON DELETE TO {table} DO INSTEAD NOTHING
CREATE MATERIALIZED VIEW {new} AS SELECT count(*) FROM {table} WITH NO DATA
REFRESH MATERIALIZED VIEW {new}
DROP VIEW {table}
CREATE SEQUENCE {new} OWNED BY {table}.{column}
CREATE SEQUENCE {new} INCREMENT 3
ALTER SEQUENCE {table} OWNED BY NONE
ALTER SEQUENCE {table}_id_seq OWNED BY NONE
ALTER SEQUENCE {table} INCREMENT 5
CREATE TYPE {new} AS ENUM ('a', 'b')
ALTER TYPE {table} ADD VALUE 'c'
ALTER TYPE {table} RENAME VALUE 'a' TO 'z'
CREATE TYPE {new} AS (x int, y text)
CREATE DOMAIN {new} AS int CHECK (value > 0)
ALTER TABLE {table} ADD COLUMN {word} {table2}
DROP TYPE {table} CASCADE
CREATE OR REPLACE FUNCTION {word}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'
CREATE FUNCTION {new}(a int) RETURNS int LANGUAGE sql RETURN a + 1
CREATE TRIGGER {word} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {word2}()
ALTER FUNCTION {word} RENAME TO {word2}
DROP TRIGGER {word} ON {table}
DROP FUNCTION {word} CASCADE
CREATE POLICY {word} ON {table} USING (id > 0)
DROP POLICY {word} ON {table}
CREATE STATISTICS {word} ON id, {column} FROM {table}
COMMENT ON TABLE {table} IS '{word}'
COMMENT ON COLUMN {table}.{column} IS '{word}'
COMMENT ON TABLE {table} IS NULL
GRANT SELECT ON {table} TO PUBLIC
GRANT UPDATE ({column}) ON {table} TO PUBLIC
REVOKE ALL ON {table} FROM PUBLIC
ALTER SCHEMA other RENAME TO others
ALTER SCHEMA others RENAME TO other
INSERT INTO {table} DEFAULT VALUES
TRUNCATE {table}
ANALYZE
""".strip().splitlines()


NAMES = [f"t{number}" for number in range(12)]
THERE = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
AND NOT a.attisdropped ORDER BY 1, 2
"""


def transaction(connection: sa.Connection, rng: random.Random) -> list[str]:
    """Return what may well succeed: one statement, sometimes several."""
    there = [tuple(row) for row in connection.exec_driver_sql(THERE)]
    connection.rollback()
    table, column = rng.choice(there) if there else ("t0", "id")
    likely = rng.random() < 0.9
    taken = {name for name, _ in there}
    free = [name for name in NAMES if name not in taken] or NAMES
    return [
        rng.choice(STATEMENTS).format(
            new=rng.choice(free),
            table=table if likely else rng.choice(NAMES),
            table2=rng.choice(there)[0] if there and likely else rng.choice(NAMES),
            column=column if likely else rng.choice(("id", "w1", "at")),
            word=rng.choice(("w1", "w2", "w3")),
            word2=rng.choice(("w1", "w2", "w3")),
        )
        for _ in range(1 if rng.random() < 0.85 else rng.randint(2, 4))
    ]


@pytest.mark.sampled
@pytest.mark.parametrize("run", range(4))
def test_equals_the_whole(
    scratch: ScratchDatabase, rng: random.Random, run: int, *, exhaustive: bool
) -> None:
    backend = named("postgresql")
    following = backend.following({"t11"})
    rng.seed(rng.random() + run)
    done, seen = 0, set()
    engine = sa.create_engine(scratch.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE SCHEMA other")
        connection.commit()
        for _ in range(1500 if exhaustive else 100):
            statements = transaction(connection, rng)
            try:
                for sql in statements:
                    connection.exec_driver_sql(sql)
                connection.commit()
                done += 1
            except sa.exc.DBAPIError:
                connection.rollback()
            whole = backend.snapshot(connection, {"t11"})
            assert following(connection).objects == whole.objects, statements
            seen.add(whole.fingerprint)
    engine.dispose()
    print(f"{done} transactions, {len(seen)} schemas")
    assert len(seen) > done / 4
