"""What a statement does to rows is told by its words; what they do not tell is unknown."""

from __future__ import annotations

import pytest

from topchef_schema.model import (
    UNKNOWN,
    Doing,
    Effect,
    TableName,
    dropped,
    effects_of_sql,
    named_tables,
    without_values,
)

T, S = TableName("t"), TableName("t", "s")

EFFECTS = {
    "": (),
    "-- nothing\n;": (),
    "DROP TABLE t": (Effect(Doing.DROP_TABLE, T),),
    "drop table if exists s.t cascade;": (Effect(Doing.DROP_TABLE, S),),
    'DROP TABLE "s"."t", `t`': (Effect(Doing.DROP_TABLE, S), Effect(Doing.DROP_TABLE, T)),
    "/* first */ DROP /* then */ TABLE t": (Effect(Doing.DROP_TABLE, T),),
    "CREATE TABLE t (a INT, b TEXT DEFAULT ';')": (Effect(Doing.CREATE_TABLE, T),),
    "CREATE OR REPLACE TABLE t (a INT)": (
        Effect(Doing.DROP_TABLE, T),
        Effect(Doing.CREATE_TABLE, T),
    ),
    "CREATE UNIQUE INDEX i ON t (a)": (),
    "CREATE INDEX i ON t (a); DROP TABLE t": (Effect(Doing.DROP_TABLE, T),),
    "DROP INDEX CONCURRENTLY i": (),
    "DROP VIEW v CASCADE": (),
    "DROP TYPE y": (),
    "DROP TYPE y CASCADE": (UNKNOWN,),
    "DROP SCHEMA s": (UNKNOWN,),
    "ALTER TABLE t DROP COLUMN a": (Effect(Doing.DROP_COLUMN, T, "a"),),
    "ALTER TABLE t DROP a, DROP COLUMN IF EXISTS b": (
        Effect(Doing.DROP_COLUMN, T, "a"),
        Effect(Doing.DROP_COLUMN, T, "b"),
    ),
    "ALTER TABLE ONLY s.t DROP CONSTRAINT a, DROP PRIMARY KEY": (),
    "ALTER TABLE t DROP PARTITION p": (Effect(Doing.UNKNOWN, T),),
    "ALTER TABLE t ADD COLUMN a INT, ADD CONSTRAINT c CHECK (a > 0)": (
        Effect(Doing.ADD_COLUMN, T, "a"),
    ),
    "ALTER TABLE t ALTER COLUMN a TYPE NUMERIC(4, 2)": (Effect(Doing.CHANGE_TYPE, T, "a"),),
    "ALTER TABLE t ALTER a SET DATA TYPE INT": (Effect(Doing.CHANGE_TYPE, T, "a"),),
    "ALTER TABLE t ALTER COLUMN a SET NOT NULL, ALTER b DROP DEFAULT": (),
    "ALTER TABLE t MODIFY a INT": (Effect(Doing.CHANGE_TYPE, T, "a"),),
    "ALTER TABLE t CHANGE COLUMN a b INT": (
        Effect(Doing.CHANGE_TYPE, T, "a"),
        Effect(Doing.RENAME_COLUMN, T, "a", "b"),
    ),
    "ALTER TABLE t RENAME TO u": (Effect(Doing.RENAME_TABLE, T, new="u"),),
    "RENAME TABLE t TO u": (Effect(Doing.RENAME_TABLE, T, new="u"),),
    "ALTER TABLE t RENAME COLUMN a TO b": (Effect(Doing.RENAME_COLUMN, T, "a", "b"),),
    "ALTER TABLE t RENAME INDEX a TO b": (),
    "ALTER TABLE t OWNER TO me": (),
    "ALTER TABLE t FROBNICATE": (Effect(Doing.UNKNOWN, T),),
    "ALTER SEQUENCE q RESTART": (),
    "ALTER TYPE y ADD VALUE 'drop'": (),
    "ALTER TYPE y DROP ATTRIBUTE a": (UNKNOWN,),
    "TRUNCATE t, s.t": (Effect(Doing.DELETE_ROWS, T), Effect(Doing.DELETE_ROWS, S)),
    "DELETE FROM ONLY t WHERE a = 'x'": (Effect(Doing.DELETE_ROWS, T),),
    "DELETE t FROM t JOIN u USING (a)": (UNKNOWN,),
    "UPDATE t SET a = 1": (Effect(Doing.CHANGE_ROWS, T),),
    "UPDATE t AS x SET a = 1": (Effect(Doing.CHANGE_ROWS, T),),
    "UPDATE t, u SET t.a = u.a": (UNKNOWN,),
    "INSERT INTO t VALUES (1, 'on conflict do update')": (),
    "INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1": (Effect(Doing.CHANGE_ROWS, T),),
    "REPLACE INTO t VALUES (1)": (Effect(Doing.CHANGE_ROWS, T),),
    "SELECT setval('q', (SELECT max(a) FROM t))": (),
    "SELECT drop_everything()": (UNKNOWN,),
    "SELECT a INTO u FROM t": (UNKNOWN,),
    "WITH x AS (DELETE FROM t RETURNING *) SELECT 1": (UNKNOWN,),
    "DO $$ BEGIN DROP TABLE t; END $$": (UNKNOWN,),
    "CALL p()": (UNKNOWN,),
    "SET search_path = s": (UNKNOWN,),
    "SET lock_timeout = '5s'": (),
    "COMMENT ON TABLE t IS 'DROP TABLE t'": (),
    "COMMENT ON TABLE t IS 'it''s; DROP TABLE t'": (),
    r"COMMENT ON TABLE t IS 'it\'; DROP TABLE t; --'": (UNKNOWN,),
    "/*!40000 DROP TABLE t */": (UNKNOWN,),
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END": (),
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END; DROP TABLE t": (
        Effect(Doing.DROP_TABLE, T),
    ),
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $f$ DELETE FROM t; SELECT 1 $f$": (),
}


@pytest.mark.parametrize("sql", EFFECTS)
def test_effects(sql: str) -> None:
    assert effects_of_sql(sql) == EFFECTS[sql]


DROPPED = {
    "DROP SEQUENCE IF EXISTS q, s.r CASCADE": [("sequence", "q"), ("sequence", "s.r")],
    "DROP MATERIALIZED VIEW v": [("materialized view", "v")],
    "DROP VIEW v; DROP TYPE y": [("view", "v"), ("type", "y")],
    "DROP FUNCTION f(integer)": [("function", "f")],
    'DROP TRIGGER "G" ON t': [("trigger", "G")],
    "DROP TABLE t": [],
    "DROP INDEX i": [],
    "ALTER TABLE t DROP COLUMN view": [],
    "CREATE PROCEDURE p() BEGIN DROP VIEW v; END": [],
    "COMMENT ON TABLE t IS 'DROP VIEW v'": [],
}


@pytest.mark.parametrize("sql", DROPPED)
def test_dropped(sql: str) -> None:
    assert list(dropped(sql)) == DROPPED[sql]


NAMED = {
    """ALTER TABLE s.t ADD FOREIGN KEY (a) REFERENCES "Other" (id) ON DELETE CASCADE;
    UPDATE t SET a = 'from x' FROM u -- join y""": ("s.t", "Other", "t", "u"),
    "UPDATE ONLY t SET a = b.a FROM b JOIN c ON b.id = c.id": ("t", "b", "c"),
    "DROP TABLE IF EXISTS t, s.u CASCADE": ("t", "s.u"),
    "CREATE TABLE IF NOT EXISTS t (LIKE u)": ("t", "u"),
    "CREATE TABLE t (a TEXT CHECK (a LIKE b), c INT REFERENCES u ON UPDATE CASCADE)": ("t", "u"),
    "CREATE UNIQUE INDEX CONCURRENTLY i ON ONLY t USING gin (a)": ("t",),
    "CREATE TRIGGER g AFTER INSERT OR UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION f()": ("t",),
    "CREATE VIEW v AS SELECT * FROM t JOIN u ON t.a = u.a WHERE b LIKE c": ("t", "u"),
    "CREATE POLICY p ON t USING (a)": ("t",),
    "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1": ("t",),
    "DELETE FROM t USING u WHERE t.a IS DISTINCT FROM u.a": ("t", "u"),
    "SELECT EXTRACT(YEAR FROM a) FROM (SELECT * FROM t FOR UPDATE) x": ("t",),
    "TRUNCATE TABLE t": ("t",),
    "ALTER TABLE t ALTER COLUMN a TYPE y USING a::y": ("t",),
    "ALTER TYPE y RENAME TO z": (),
    "GRANT SELECT (a, b), UPDATE ON s.t, u TO PUBLIC": ("s.t", "u"),
    "REVOKE ALL ON TABLE t FROM PUBLIC": ("t",),
    "GRANT SELECT ON shop.* TO somebody": (),
    "GRANT USAGE ON SEQUENCE q TO PUBLIC": (),
    "GRANT admin TO somebody": (),
    "COMMENT ON TABLE s.t IS 'on u'": ("s.t",),
    "COMMENT ON COLUMN s.t.a IS NULL": ("s.t",),
    "COMMENT ON CONSTRAINT c ON t IS ''": ("t",),
    "COMMENT ON TYPE y IS ''": (),
    "CREATE STATISTICS s ON x, y FROM t": ("t",),
    "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN UPDATE SET b = 1": ("t", "u"),
    "COPY t FROM stdin": (),
    "INSERT INTO t SELECT 1 FROM u" + " UNION ALL SELECT 1 FROM u" * 2_000: ("t", "u"),
}


@pytest.mark.parametrize("sql", NAMED)
def test_named_tables(sql: str) -> None:
    assert tuple(map(str, named_tables(sql))) == NAMED[sql]


def test_without_values() -> None:
    one = without_values("INSERT INTO t VALUES (1, 'a')")
    assert one == without_values("INSERT  INTO t VALUES (23, 'it''s')")
    assert one != without_values("INSERT INTO u VALUES (1, 'a')")
