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
