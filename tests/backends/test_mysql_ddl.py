"""What MySQL and MariaDB know of a table before a statement changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from tests.backends.connections import connected, send

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from topchef_schema.backends.base import Backend, CommitRules, ScratchDatabase

pytestmark = pytest.mark.backends("mariadb", "mysql")

MAKE = "CREATE TABLE `made` (id INT)"


@pytest.fixture
def rules(backend: Backend) -> CommitRules:
    """Return the rules as they are at the beginning of a run."""
    found = backend.commit_rules
    assert found is not None
    found.forget()  # type: ignore[attr-defined]
    return found


def test_a_new_table_needs_no_question(rules: CommitRules, connection: Connection) -> None:
    send(connection, "CREATE TABLE other (id INT)")
    before = rules.before(connection, MAKE)
    asked: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda c, k, sql, *_: asked.append(sql))
    assert rules.before(connection, "CREATE TABLE second (id INT)") == before
    assert not asked
    assert rules.took_effect(connection, MAKE, before) is False
    send(connection, MAKE)
    assert rules.took_effect(connection, MAKE, before) is True


@pytest.mark.parametrize(
    "made_by",
    [
        MAKE,
        "RENAME TABLE other TO made",
        "ALTER TABLE other\nRENAME TO made",
        "CREATE TABLE IF NOT EXISTS made (id INT)",
        "CREATE TABLE made LIKE other",
        "/* said */ CREATE TABLE made (id INT)",
    ],
)
def test_a_table_that_this_run_has_made_is_not_new(
    rules: CommitRules, connection: Connection, made_by: str
) -> None:
    send(connection, "CREATE TABLE other (id INT)")
    rules.before(connection, "CREATE TABLE first (id INT)")
    rules.before(connection, made_by)
    send(connection, made_by)
    # The server will refuse this one: it must never count as done.
    before = rules.before(connection, MAKE)
    assert rules.took_effect(connection, MAKE, before) is False


def test_what_another_engine_made_is_not_new(
    rules: CommitRules, connection: Connection, scratch: ScratchDatabase
) -> None:
    first = "CREATE TABLE first (id INT)"
    rules.before(connection, first)
    url: URL = scratch.url
    with connected(url) as other:
        rules.before(other, MAKE)
        send(other, MAKE)
    before = rules.before(connection, MAKE)
    assert rules.took_effect(connection, MAKE, before) is False


def test_a_table_that_was_there_is_not_new(rules: CommitRules, connection: Connection) -> None:
    send(connection, MAKE)
    before = rules.before(connection, MAKE)
    assert rules.took_effect(connection, MAKE, before) is False


ADDING = [
    "CREATE INDEX made_by_name ON made (name)",
    "\nCREATE UNIQUE INDEX `Made_By_Name` ON made (name)",
    "ALTER TABLE made ADD COLUMN size INTEGER, ADD COLUMN weight INTEGER",
    "ALTER TABLE `made` ADD COLUMN `a size` INTEGER",
]
MAKE_NAMED = "CREATE TABLE made (id INT, name VARCHAR(20))"


def asked(connection: Connection) -> int:
    question = "SHOW SESSION STATUS LIKE 'Com_show_create_table'"
    (_, count) = connection.exec_driver_sql(question).one()
    return int(count)


@pytest.mark.parametrize("mode", ["", "ANSI_QUOTES"])
@pytest.mark.parametrize("quoted", [0, 1])
@pytest.mark.parametrize("sql", ADDING)
def test_what_a_new_table_is_added_is_known_without_asking(
    rules: CommitRules, connection: Connection, sql: str, quoted: int, mode: str
) -> None:
    send(connection, f"SET SESSION sql_mode = '{mode}', sql_quote_show_create = {quoted}")
    rules.before(connection, MAKE_NAMED)
    send(connection, MAKE_NAMED)
    before = rules.before(connection, sql)
    assert asked(connection) == 0
    assert rules.took_effect(connection, sql, before) is False
    send(connection, sql)
    assert rules.took_effect(connection, sql, before) is True


@pytest.mark.parametrize(
    ("earlier", "sql"),
    [
        (
            "CREATE TABLE made (id INT, name INT, INDEX here (name))",
            ADDING[0].replace("made_by_name", "here"),
        ),
        ("CREATE TABLE made (id INT, name INT, size INT)", "ALTER TABLE made ADD COLUMN Size INT"),
        ("CREATE TABLE made (id INT)", "ALTER TABLE made ADD COLUMN IF NOT EXISTS id INT"),
    ],
)
def test_what_a_new_table_has_is_never_taken_for_added(
    rules: CommitRules, connection: Connection, earlier: str, sql: str
) -> None:
    rules.before(connection, earlier)
    send(connection, earlier)
    before = rules.before(connection, sql)
    assert rules.took_effect(connection, sql, before) is False


@pytest.mark.parametrize("sql", ADDING)
def test_what_a_table_is_added_twice_is_asked_for(
    rules: CommitRules, connection: Connection, sql: str
) -> None:
    for each in (MAKE_NAMED, sql):
        rules.before(connection, each)
        send(connection, each)
    assert asked(connection) == 0
    # The server will refuse this one: it must never count as done.
    before = rules.before(connection, sql)
    assert asked(connection) == 1
    assert rules.took_effect(connection, sql, before) is False
