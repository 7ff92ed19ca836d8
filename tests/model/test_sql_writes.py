"""Which tables a statement writes to; whatever is not known for certain is not guessed."""

from __future__ import annotations

import pytest

from topchef_schema.model.sql_writes import tables_written


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("INSERT INTO a (x) SELECT x FROM b", {"a"}),
        ('insert or replace into "Big" values (1)', {"big"}),
        ("REPLACE INTO a VALUES (1)", {"a"}),
        ("UPDATE a SET x = 1 WHERE y IN (SELECT y FROM b)", {"a"}),
        ("UPDATE a JOIN b ON a.x = b.x SET a.y = 1", None),
        ("UPDATE a, b SET a.y = 1", None),
        ("DELETE FROM other.a WHERE x = 1", {"a"}),
        ("DELETE a FROM a JOIN b ON a.x = b.x", None),
        ("TRUNCATE TABLE a", {"a"}),
        ("CREATE TABLE a (x int)", {"a"}),
        ("CREATE TABLE IF NOT EXISTS a AS SELECT * FROM b", {"a"}),
        ("CREATE UNIQUE INDEX i ON a (x)", set()),
        ("CREATE VIEW v AS SELECT 1", set()),
        ("CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END", set()),
        ("ALTER TABLE a DROP COLUMN x", {"a"}),
        ("ALTER TABLE a RENAME COLUMN x TO y", {"a"}),
        ("ALTER TABLE a RENAME TO b", {"a", "b"}),
        ("ALTER TABLE a RENAME b", {"a", "b"}),
        ("ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b", None),
        ("DROP TABLE IF EXISTS a, b", {"a", "b"}),
        ("SELECT 1 -- ; DELETE FROM a", set()),
        ("SELECT 1; DELETE FROM a", None),
        ("WITH d AS (DELETE FROM a RETURNING x) SELECT 1 FROM d", None),
        ("CALL anything()", None),
        ("DO $$ BEGIN DELETE FROM a; END $$", None),
        ("INSERT INTO a VALUES ('it\\'s')", None),
        ("", None),
    ],
)
def test_tables_written(sql: str, tables: set[str] | None) -> None:
    assert tables_written(sql) == tables
