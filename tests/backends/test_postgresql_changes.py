"""What differs between two looks at PostgreSQL's catalog is found near what statements named."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from tests.backends.connections import connected
from topchef_schema.backends import postgresql_throwaway
from topchef_schema.backends.postgresql import BACKEND
from topchef_schema.backends.postgresql_following import Following

pytestmark = pytest.mark.backends("postgresql")

OTHERS = """
CREATE TABLE other (id serial, size int NOT NULL DEFAULT 3, long text, CHECK (size > 0))
CREATE INDEX of_other ON other (size)
CREATE TABLE goal (id int PRIMARY KEY)
CREATE TABLE led (id serial PRIMARY KEY, to_id int REFERENCES goal, at date DEFAULT now())
CREATE SEQUENCE alone
CREATE TYPE mood AS ENUM ('good')
"""

UNSAID = [
    "ALTER TABLE other ALTER COLUMN size SET STATISTICS 9",
    "ALTER TABLE other ALTER COLUMN size SET DEFAULT 5",
    "ALTER TABLE other ALTER COLUMN size DROP DEFAULT",
    "ALTER TABLE other ALTER COLUMN size DROP NOT NULL",
    "ALTER TABLE other ALTER COLUMN long SET DEFAULT 7",
    "ALTER TABLE other ALTER COLUMN long SET STORAGE external",
    "ALTER TABLE other DROP CONSTRAINT other_size_check",
    "ALTER TABLE other DROP COLUMN long",
    "ALTER TABLE other ADD COLUMN more int",
    "ALTER SEQUENCE other_id_seq OWNED BY NONE",
    "ALTER SEQUENCE alone OWNED BY other.size",
    "ALTER SEQUENCE alone INCREMENT 2",
    "ALTER TYPE mood ADD VALUE ''bad''",
    "CREATE TYPE point AS (x int, y int)",
    "DROP TYPE mood",
    "DROP INDEX of_other",
    "DROP TABLE other",
    "DROP SEQUENCE alone",
    "GRANT SELECT (size) ON other TO PUBLIC",
    "COMMENT ON COLUMN other.size IS ''large''",
    "ALTER TABLE led ALTER COLUMN at DROP DEFAULT",
]
"""What a function does, which no statement names."""

SAID = [
    "CREATE TABLE made (id serial PRIMARY KEY, long text, at date DEFAULT now())",
    "CREATE TABLE made (id int) | ALTER TABLE made ADD COLUMN size int DEFAULT 3",
    "CREATE TABLE made (id serial) | ALTER TABLE made ALTER COLUMN id DROP DEFAULT",
    "CREATE TABLE made (id serial) | DROP TABLE made",
    "CREATE TABLE made (id int REFERENCES goal) | CREATE INDEX of_made ON made (id)",
    "ALTER TABLE led ALTER COLUMN at SET DEFAULT NULL",
    "ALTER TABLE led ADD COLUMN more int DEFAULT 3",
    "ALTER TABLE led ADD COLUMN more int | ALTER TABLE led ALTER COLUMN to_id SET DEFAULT 4",
    "ALTER TABLE led DROP COLUMN at",
    "ALTER TABLE led DROP CONSTRAINT led_to_id_fkey",
    "DROP TABLE led",
    "DROP TABLE led | CREATE TABLE led (id serial)",
    "DROP TABLE led, goal",
    "DROP TABLE goal CASCADE",
    "ALTER TABLE led ALTER COLUMN at DROP DEFAULT | DROP TABLE led",
]


def anew(connection: sa.Connection) -> Following:
    """Make the tables anew, and look at them once."""
    for sql in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
        connection.exec_driver_sql(sql)
    for sql in OTHERS.strip().splitlines():
        connection.exec_driver_sql(sql)
    connection.commit()
    following = Following(())
    following.schema(connection)
    return following


def take(connection: sa.Connection, following: Following, statements: list[str]) -> None:
    """Send *statements*, and require that what is followed is what there is."""
    for sql in statements:
        connection.exec_driver_sql(sql)
    connection.commit()
    followed = following.schema(connection).objects
    connection.rollback()
    assert followed == BACKEND.snapshot(connection).objects, statements
    connection.rollback()


def searched(connection: sa.Connection) -> dict[str, set[str]]:
    """Return the catalogs that are read as a whole, by the statement that was planned for it."""
    sql = "SELECT name, statement FROM pg_prepared_statements WHERE name LIKE 'topchef_changes%%'"
    found = connection.exec_driver_sql(sql).all()
    connection.rollback()
    return {name: set(re.findall(r"FROM pg_catalog\.(\w+) x WHERE", said)) for name, said in found}


@pytest.mark.parametrize("said", SAID)
def test_what_a_function_changes_is_found_beside_what_is_said(
    connection: sa.Connection, said: str
) -> None:
    done = 0
    for unsaid in UNSAID:
        following = anew(connection)
        try:
            take(connection, following, [*said.split(" | "), f"DO 'BEGIN {unsaid}; END'"])
        except sa.exc.DBAPIError:
            connection.rollback()  # one takes away what the other one speaks of
        else:
            done += 1
    assert done >= len(UNSAID) - 4


def test_a_table_that_is_made_or_dropped_is_found_without_reading_all(
    connection: sa.Connection,
) -> None:
    following = anew(connection)
    take(
        connection, following, ["CREATE TABLE made (id serial, to_id int REFERENCES goal, t text)"]
    )
    made = searched(connection)
    assert not {"pg_attribute", "pg_depend"}.intersection(set().union(*made.values()))
    take(connection, following, ["DROP TABLE made"])
    dropped = [each for name, each in searched(connection).items() if name not in made]
    assert not {"pg_attribute", "pg_constraint"}.intersection(set().union(*dropped))


def test_a_transaction_that_was_prepared_may_end_at_any_time(
    monkeypatch: pytest.MonkeyPatch, backend_name: str
) -> None:
    """It has an older number than what is looked for."""
    monkeypatch.setitem(postgresql_throwaway.SETTINGS, "max_prepared_transactions", "2")
    with closing(postgresql_throwaway.start()) as server, connected(server.url) as connection:
        following = anew(connection)
        connection.exec_driver_sql("CREATE TABLE prepared (id int)")
        connection.exec_driver_sql("PREPARE TRANSACTION 'topchef'")
        connection.commit()
        take(connection, following, ["CREATE TABLE later (id int)"])
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True
        connection.exec_driver_sql("COMMIT PREPARED 'topchef'")
        connection.rollback()
        driver.autocommit = False
        take(connection, following, [])
