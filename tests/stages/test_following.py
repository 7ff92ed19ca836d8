"""Reading only what may have changed gives what reading everything gives, whatever was changed."""

from __future__ import annotations

import random
import warnings
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.stages.looking import looked_at
from topchef_schema.backends import named
from topchef_schema.bridge.own_statement import OwnStatement
from topchef_schema.stages.contents import Watch, read, tables

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server
    from topchef_schema.stages.contents import Contents

ROWS = """
INSERT INTO {table} (id) VALUES ({number})
INSERT INTO {table} (id) VALUES ({number}), ({number}1)
INSERT INTO {table} (id) SELECT id + 100 FROM {table2}
UPDATE {table} SET id = id + 1000 WHERE id < 9
UPDATE {table} SET {column} = NULL
DELETE FROM {table} WHERE id > 5
DELETE FROM {table}
"""

POSTGRESQL = """
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
ALTER TABLE {table} ADD CONSTRAINT {word} CHECK ({column}::varchar NOT IN ('a', 'b'))
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
DEALLOCATE ALL
ALTER SCHEMA other RENAME TO others
ALTER SCHEMA others RENAME TO other
INSERT INTO {table} DEFAULT VALUES
TRUNCATE {table}
ANALYZE
INSERT INTO {table} DEFAULT VALUES
UPDATE {table} a SET id = b.id FROM {table2} b WHERE a.id < b.id
WITH d AS (DELETE FROM {table} RETURNING id) INSERT INTO {table2} (id) SELECT id FROM d
CREATE TRIGGER {word} AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION also_{table2}()
ALTER TABLE {table} ADD FOREIGN KEY (other) REFERENCES {table2} (id) ON DELETE CASCADE
DO 'BEGIN ALTER TABLE {table2} ALTER COLUMN id SET STATISTICS {number}; DROP TABLE {table}; END'
DO 'BEGIN ALTER TABLE {table2} ALTER COLUMN id DROP DEFAULT; CREATE TABLE {new} (id serial); END'
DO 'BEGIN ALTER SEQUENCE {table2}_id_seq OWNED BY NONE; CREATE TABLE {new} (id serial); END'
DO 'BEGIN ALTER TABLE {table2} ALTER COLUMN id SET DEFAULT 3; DROP TABLE {table} CASCADE; END'
"""

MYSQL = """
CREATE TABLE {new} (id int AUTO_INCREMENT PRIMARY KEY, name varchar(40) DEFAULT 'x', size int)
CREATE TABLE {new} (id int PRIMARY KEY, other int, UNIQUE (other))
CREATE TABLE {new} (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES {table} (id))
ALTER TABLE {table} ADD FOREIGN KEY (other) REFERENCES {table2} (id) ON DELETE CASCADE
CREATE TABLE {new} LIKE {table}
CREATE TABLE {new} AS SELECT id FROM {table}
CREATE TABLE IF NOT EXISTS {table} (id int PRIMARY KEY)
ALTER TABLE {table} ADD COLUMN {word} varchar(20) COMMENT '{word}'
ALTER TABLE {table} ADD COLUMN {word} int GENERATED ALWAYS AS (id * 2) STORED
ALTER TABLE {table} DROP COLUMN {column}
ALTER TABLE {table} MODIFY {column} varchar(40)
ALTER TABLE {table} CHANGE {column} {word} int
ALTER TABLE {table} RENAME COLUMN {column} TO {word}
ALTER TABLE {table} RENAME TO {new}
ALTER TABLE {table} RENAME {new}
RENAME TABLE {table} TO {new}
ALTER TABLE {table} ADD CONSTRAINT {word} CHECK (id > 0)
ALTER TABLE {table} DROP CONSTRAINT {word}
ALTER TABLE {table} ADD CONSTRAINT {table}_{word} FOREIGN KEY (id) REFERENCES {table2} (id)
ALTER TABLE {table} DROP FOREIGN KEY {table}_{word}
ALTER TABLE {table} COMMENT = '{word}'
ALTER TABLE {table} ENGINE = InnoDB ROW_FORMAT = COMPACT
ALTER TABLE {table} CONVERT TO CHARACTER SET latin1
CREATE INDEX {word} ON {table} ({column})
CREATE UNIQUE INDEX {word} ON {table} ({column})
DROP INDEX {word} ON {table}
DROP TABLE {table}
DROP TABLE IF EXISTS {table}, {table2}
TRUNCATE TABLE {table}
CREATE VIEW {new} AS SELECT * FROM {table}
DROP VIEW {table}
CREATE TRIGGER {word} AFTER INSERT ON {table} FOR EACH ROW INSERT INTO {table2} (id) VALUES (NEW.id)
CREATE TRIGGER {word2} AFTER DELETE ON {table} FOR EACH ROW DELETE FROM {table2}
DROP TRIGGER {word}
CREATE PROCEDURE {word}() ALTER TABLE {table} ADD COLUMN called int
CALL {word}()
DROP PROCEDURE {word}
CREATE TABLE {new} (id int PRIMARY KEY, other int) ENGINE = MyISAM
ALTER TABLE {table} ENGINE = InnoDB
REPLACE INTO {table} (id) VALUES ({number})
INSERT IGNORE INTO {table} (id) VALUES ({number}), (2)
INSERT INTO {table} (id) VALUES ({number}) ON DUPLICATE KEY UPDATE id = id + 100
INSERT INTO {table} (id) VALUES (2) ON DUPLICATE KEY UPDATE {column} = {number}
UPDATE {table} a JOIN {table2} b ON a.id = b.id SET a.id = a.id + 50
SET @x = 1
ANALYZE TABLE {table}
"""

SQLITE = """
CREATE TABLE {new} (id integer PRIMARY KEY, name text DEFAULT 'x', size int CHECK (size > 0))
CREATE TABLE {new} (id int UNIQUE, other int) STRICT
CREATE TABLE {new} (id integer PRIMARY KEY, p int REFERENCES {table} ON DELETE CASCADE)
CREATE TABLE {new} (id integer PRIMARY KEY, p int REFERENCES {table} (id) ON UPDATE SET NULL)
CREATE TABLE {new} AS SELECT * FROM {table}
CREATE TABLE IF NOT EXISTS {table} (id int)
ALTER TABLE {table} ADD COLUMN {word} varchar(20)
ALTER TABLE {table} DROP COLUMN {column}
ALTER TABLE {table} RENAME COLUMN {column} TO {word}
ALTER TABLE {table} RENAME TO {new}
CREATE INDEX {word} ON {table} ({column})
CREATE UNIQUE INDEX {word} ON {table} (lower({column})) WHERE id > 3
DROP INDEX {word}
DROP TABLE {table}
CREATE VIEW {new} AS SELECT * FROM {table}
DROP VIEW {table}
CREATE TRIGGER {word} AFTER INSERT ON {table} BEGIN INSERT INTO {table2} (id) VALUES (NEW.id); END
CREATE TRIGGER {word2} AFTER DELETE ON {table} BEGIN DELETE FROM {table2}; END
DROP TRIGGER {word}
REPLACE INTO {table} (id) VALUES ({number})
INSERT OR REPLACE INTO {table} (id) VALUES ({number})
INSERT OR IGNORE INTO {table} (id) VALUES ({number})
PRAGMA user_version = {number}
PRAGMA foreign_keys = ON
VACUUM
"""

KINDS = {
    "sqlite": SQLITE + ROWS,
    "postgresql": POSTGRESQL + ROWS,
    "mariadb": MYSQL + ROWS,
    "mysql": MYSQL + ROWS,
}
NAMES = [f"t{number}" for number in range(12)]
PREPARED = {
    "postgresql": [
        "CREATE SCHEMA other",
        *(
            f"CREATE FUNCTION also_{name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"'BEGIN INSERT INTO {name} (id) VALUES (NEW.id); RETURN NEW; END'"
            for name in NAMES
        ),
    ]
}


def transaction(connection: sa.Connection, kinds: list[str], rng: random.Random) -> list[str]:
    """Return what may well succeed: one statement, sometimes several."""
    found = sa.inspect(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)  # a type that it does not know
        there = [
            (table, column["name"])
            for table in sorted(found.get_table_names())
            for column in found.get_columns(table)
        ]
    connection.rollback()
    table, column = rng.choice(there) if there else ("t0", "id")
    likely = rng.random() < 0.9
    taken = {name for name, _ in there}
    free = [name for name in NAMES if name not in taken] or NAMES
    return [
        rng.choice(of_kind(kinds, len(taken), rng)).format(
            new=rng.choice(free),
            table=table if likely else rng.choice(NAMES),
            table2=rng.choice(there)[0] if there and likely else rng.choice(NAMES),
            column=column if likely else rng.choice(("id", "w1", "at")),
            word=rng.choice(("w1", "w2", "w3")),
            word2=rng.choice(("w1", "w2", "w3")),
            number=rng.randrange(100),
        )
        for _ in range(1 if rng.random() < 0.85 else rng.randint(2, 4))
    ]


def of_kind(kinds: list[str], tables: int, rng: random.Random) -> list[str]:
    """Return statements to choose from, so that there are tables, and rows in them."""
    if tables < 4:
        return [each for each in kinds if each.startswith("CREATE TABLE {new} (id")]
    return ROWS.strip().splitlines() if rng.random() < 0.3 else kinds


def send(connection: sa.Connection, sql: str, rng: random.Random) -> None:
    """Send a statement, now and then past SQLAlchemy."""
    if rng.random() < 0.9:
        connection.exec_driver_sql(sql)
        return
    if not connection.in_transaction():
        connection.begin()
    cursor = connection.connection.cursor()
    cursor.execute(sql)
    cursor.close()


def test_our_own_statements_are_no_reason_to_read_everything(
    scratch: ScratchDatabase, backend_name: str
) -> None:
    """The version row moves with each step, past SQLAlchemy."""
    backend = named(backend_name)
    following = backend.following(set())
    engine = sa.create_engine(backend.with_driver(scratch.url), poolclass=sa.NullPool)
    moved = sa.table("t1", sa.column("id"))
    move = moved.update().where(moved.c.id == sa.bindparam("from_")).values(id=sa.bindparam("to_"))
    with engine.connect() as connection:
        for table in ("t1", "t2"):
            connection.exec_driver_sql(f"CREATE TABLE {table} (id int)")
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES (1)")
        connection.commit()
        names = tables(following.schema(connection))
        following.written(connection)
        asked: list[str] = []
        sa.event.listen(engine, "before_cursor_execute", lambda *sent: asked.append(sent[2]))
        for number in (1, 2):
            row = {"from_": number, "to_": number + 1}
            assert OwnStatement(move, list(row)).send(connection, [row]) == 1
            connection.commit()
            following.schema(connection)
            assert [names[key].name for key in following.written(connection)(names)] == ["t1"]
        following.schema(connection)
        assert not following.written(connection)(names)
        assert not [each for each in asked if each.startswith("CHECKSUM")]
        connection.rollback()


FAMILY = """
CREATE TABLE parent (id int PRIMARY KEY)
CREATE TABLE child (id int, p int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE)
CREATE TABLE other (id int)
CREATE TABLE ruled (id int)
CREATE VIEW seen AS SELECT id FROM child
CREATE RULE aside AS ON INSERT TO ruled DO INSTEAD INSERT INTO child (id) VALUES (NEW.id)
INSERT INTO parent VALUES (1), (2), (3)
INSERT INTO child VALUES (1, 1), (2, 2), (3, 3)
INSERT INTO other VALUES (1)
"""
HIDDEN = [
    "DELETE FROM parent WHERE id < 3 | DROP TABLE parent CASCADE",
    "DELETE FROM parent | ALTER TABLE child DROP CONSTRAINT child_p_fkey | DROP TABLE parent",
    "UPDATE parent SET id = id + 10 | DROP TABLE parent CASCADE",
    "INSERT INTO other VALUES (2)"
    " | WITH x AS (SELECT 9 AS id) INSERT INTO child (id) SELECT id FROM x | DROP TABLE other",
    "CREATE TABLE n (id int) | INSERT INTO n VALUES (1)"
    " | WITH x AS (SELECT 9 AS id) INSERT INTO child (id) SELECT id FROM x | TRUNCATE n",
    "UPDATE seen SET id = 7 | DROP VIEW seen",
    "INSERT INTO ruled VALUES (5) | DROP RULE aside ON ruled",
    "INSERT INTO seen VALUES (8)",
    "INSERT INTO child (id) VALUES (4) | SELECT pg_stat_reset()",
    "TRUNCATE child",
]
"""Write to `child` while what is counted of it may seem to be told by what is sent."""


def as_superuser(scratch: ScratchDatabase, server: Server, backend_name: str) -> sa.Engine:
    url = server.url.set(database=scratch.url.database)
    return sa.create_engine(named(backend_name).with_driver(url), poolclass=sa.NullPool)


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("views", [True, False])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_is_told_is_not_all(
    scratch: ScratchDatabase, server: Server, backend_name: str, hidden: str, *, views: bool
) -> None:
    watch = Watch(named(backend_name).following(set()))
    engine = as_superuser(scratch, server, backend_name)
    with engine.connect() as connection:
        for sql in FAMILY.strip().splitlines():
            connection.exec_driver_sql(sql)
        if not views and "seen" not in hidden and "ruled" not in hidden:
            connection.exec_driver_sql("DROP VIEW seen")
            connection.exec_driver_sql("DROP TABLE ruled")
        connection.commit()
        for statements in ([], ["UPDATE child SET id = id"], hidden.split(" | ")):
            for sql in statements:
                connection.exec_driver_sql(sql)
            connection.commit()
            _, rows, there = looked_at(watch, connection)
            assert rows.keys() == there.keys()
            assert not [each for each in rows if not rows[each].equal(there[each])]


@pytest.mark.backends("postgresql")
def test_who_works_is_part_of_what_is_seen(
    scratch: ScratchDatabase, server: Server, backend_name: str
) -> None:
    """The tables of the current role are not said to be owned."""
    backend = named(backend_name)
    following = backend.following(set())
    engine = as_superuser(scratch, server, backend_name)
    with engine.connect() as connection:
        for sql in (
            "CREATE ROLE cook",
            "CREATE TABLE mine (id int)",
            "CREATE TABLE theirs (id int)",
        ):
            connection.exec_driver_sql(sql)
        connection.exec_driver_sql("ALTER TABLE theirs OWNER TO cook")
        connection.commit()
        try:
            before = following.schema(connection)
            connection.exec_driver_sql("SET ROLE cook")
            connection.commit()
            after = following.schema(connection)
            assert after == backend.snapshot(connection) != before
        finally:
            connection.rollback()
            connection.exec_driver_sql("RESET ROLE")
            connection.exec_driver_sql("DROP OWNED BY cook")
            connection.exec_driver_sql("DROP ROLE cook")
            connection.commit()


@pytest.mark.sampled
@pytest.mark.parametrize("run", range(4))
def test_equals_the_whole(
    scratch: ScratchDatabase, backend_name: str, rng: random.Random, run: int, *, exhaustive: bool
) -> None:
    backend = named(backend_name)
    following = backend.following({"t11"})
    watch = Watch(following)
    rng.seed(rng.random() + run)
    kinds = KINDS[backend_name].strip().splitlines()
    done, seen, written = 0, set(), 0
    before: Contents = {}
    url = backend.with_driver(scratch.url)
    engine, other = (sa.create_engine(url, poolclass=sa.NullPool) for _ in range(2))
    with engine.connect() as connection, other.connect() as second:
        # Where what a session sends is heard, another has to look, and where sessions are watched
        # there must be no other.
        if backend_name in ("postgresql", "sqlite"):
            second.close()
        reader = connection if second.closed else second
        for sql in PREPARED.get(backend_name, ()):
            connection.exec_driver_sql(sql)
        connection.commit()
        for _ in range(1500 if exhaustive else 100):
            statements = transaction(connection, kinds, rng)
            try:
                for sql in statements:
                    send(connection, sql, rng)
                connection.commit()
                done += 1
            except (sa.exc.DBAPIError, connection.dialect.loaded_dbapi.Error):
                connection.rollback()
            watch.stale()
            schema = following.schema(connection)
            connection.rollback()
            rows = watch.now(connection, schema)
            connection.rollback()
            whole = backend.snapshot(reader, {"t11"})
            assert schema.objects == whole.objects, statements
            there = read(reader, schema, tables(schema))
            assert rows.keys() == there.keys()
            assert not [each for each in rows if not rows[each].equal(there[each])], statements
            reader.rollback()
            seen.add(whole.fingerprint)
            written += rows != before
            before = rows
    print(f"{done} transactions, {len(seen)} schemas, {written} times other rows")
    # Else there was nothing to be wrong about.
    assert len(seen) > done / 10
    assert written > done / 20
