"""What drops something that another statement has made is told by the words of both."""

from __future__ import annotations

import pytest

from topchef_schema.model.sql_undoing import drops_what

UNDONE = [
    ("DROP TABLE notes", "CREATE TABLE notes (id INTEGER)"),
    ('DROP TABLE IF EXISTS public."Notes"', 'CREATE TABLE "Notes" (id INTEGER)'),
    ("DROP INDEX ix_a", "CREATE UNIQUE INDEX ix_a ON notes (a)"),
    ("DROP INDEX ix_a ON notes", "CREATE INDEX ix_a ON notes (a)"),
    (
        "ALTER TABLE notes DROP FOREIGN KEY fk_a",
        "ALTER TABLE notes ADD CONSTRAINT fk_a FOREIGN KEY (a) REFERENCES b (id)",
    ),
    ("ALTER TABLE `notes` DROP INDEX `uq_a`", "ALTER TABLE notes ADD UNIQUE INDEX uq_a (a)"),
    ("ALTER TABLE s.notes DROP COLUMN a", "ALTER TABLE notes ADD a INTEGER"),
    (
        "ALTER TABLE notes DROP CONSTRAINT ck_a",
        "CREATE TABLE notes (a INTEGER, CONSTRAINT ck_a CHECK (a > 0))",
    ),
]
NOT_UNDONE = [
    ("DROP TABLE notes", "CREATE TABLE others (id INTEGER)"),
    ("ALTER TABLE notes DROP COLUMN a", "ALTER TABLE others ADD COLUMN a INTEGER"),
    ("ALTER TABLE notes DROP PRIMARY KEY", "ALTER TABLE notes ADD PRIMARY KEY (a)"),
    ("ALTER TABLE notes ADD COLUMN a INTEGER", "ALTER TABLE notes ADD COLUMN a INTEGER"),
    ("DROP INDEX ix_a ON notes", "CREATE INDEX ix_a ON others (a)"),
    ("INSERT INTO notes VALUES ('DROP TABLE notes')", "CREATE TABLE notes (id INTEGER)"),
]


@pytest.mark.parametrize(("sql", "other"), UNDONE)
def test_drops_what_the_other_made(sql: str, other: str) -> None:
    assert drops_what(sql, other)


@pytest.mark.parametrize(("sql", "other"), NOT_UNDONE)
def test_drops_something_else(sql: str, other: str) -> None:
    assert not drops_what(sql, other)
