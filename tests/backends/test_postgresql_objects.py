"""Every kind of object that PostgreSQL has is in its snapshot, under a key of its own."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import sqlalchemy as sa

from tests.backends.connections import send
from topchef_schema.backends.postgresql import BACKEND
from topchef_schema.model import diff

pytestmark = pytest.mark.backends("postgresql")


class Case(NamedTuple):
    """A change of one kind of object: what is there before, the change, and how it is undone."""

    before: str
    change: str
    undo: str
    keys: tuple[str, ...]


TABLE = "CREATE TABLE t (id int PRIMARY KEY, name text, at timestamptz)"
FUNCTION = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
CASES = {
    "an enum's label": Case(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
        "ALTER TYPE mood RENAME VALUE 'fine' TO 'ok'",
        ("enum public.mood",),
    ),
    "the order of an enum": Case(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "DROP TYPE mood; CREATE TYPE mood AS ENUM ('ok', 'sad')",
        "DROP TYPE mood; CREATE TYPE mood AS ENUM ('sad', 'ok')",
        ("enum public.mood",),
    ),
    "an enum that is left behind": Case(
        "SELECT 1", "CREATE TYPE mood AS ENUM ('a')", "DROP TYPE mood", ("enum public.mood",)
    ),
    "a domain's check": Case(
        "CREATE DOMAIN positive AS int",
        "ALTER DOMAIN positive ADD CONSTRAINT above CHECK (VALUE > 0)",
        "ALTER DOMAIN positive DROP CONSTRAINT above",
        ("constraint public.positive.above",),
    ),
    "a domain's default": Case(
        "CREATE DOMAIN positive AS int",
        "ALTER DOMAIN positive SET DEFAULT 3",
        "ALTER DOMAIN positive DROP DEFAULT",
        ("domain public.positive",),
    ),
    "a composite type": Case(
        "CREATE TYPE address AS (street text)",
        "ALTER TYPE address ALTER ATTRIBUTE street TYPE varchar(9)",
        "ALTER TYPE address ALTER ATTRIBUTE street TYPE text",
        ("column public.address.street",),
    ),
    "a range type": Case(
        "SELECT 1",
        "CREATE TYPE span AS RANGE (subtype = int)",
        "DROP TYPE span",
        ("range public.span",),
    ),
    "a sequence": Case(
        "CREATE SEQUENCE s",
        "ALTER SEQUENCE s INCREMENT 5",
        "ALTER SEQUENCE s INCREMENT 1",
        ("sequence public.s",),
    ),
    "the owner of a sequence": Case(
        f"{TABLE}; CREATE SEQUENCE s",
        "ALTER SEQUENCE s OWNED BY t.id",
        "ALTER SEQUENCE s OWNED BY NONE",
        ("sequence public.s",),
    ),
    "an identity": Case(
        TABLE,
        "ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE t ALTER id DROP IDENTITY",
        ("column public.t.id", "sequence public.t_id_seq"),
    ),
    "a function's body": Case(
        FUNCTION,
        FUNCTION.replace("CREATE", "CREATE OR REPLACE").replace("NEW", "NULL"),
        FUNCTION.replace("CREATE", "CREATE OR REPLACE"),
        ("function public.f()",),
    ),
    "a function of other arguments": Case(
        "CREATE FUNCTION g(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION g(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION g(text)",
        ("function public.g(text)",),
    ),
    "a procedure": Case(
        "SELECT 1",
        "CREATE PROCEDURE p(a int) LANGUAGE sql AS 'SELECT 1'",
        "DROP PROCEDURE p",
        ("procedure public.p(integer)",),
    ),
    "an aggregate": Case(
        "SELECT 1",
        "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int)",
        "DROP AGGREGATE total(int)",
        ("aggregate public.total(integer)",),
    ),
    "a trigger": Case(
        f"{TABLE}; {FUNCTION}",
        "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "DROP TRIGGER g ON t",
        ("trigger public.t.g",),
    ),
    "a disabled trigger": Case(
        f"{TABLE}; {FUNCTION};"
        " CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "ALTER TABLE t DISABLE TRIGGER g",
        "ALTER TABLE t ENABLE TRIGGER g",
        ("trigger public.t.g",),
    ),
    "a partial index": Case(
        f"{TABLE}; CREATE INDEX i ON t (name) WHERE id > 3",
        "DROP INDEX i; CREATE INDEX i ON t (name) WHERE id > 4",
        "DROP INDEX i; CREATE INDEX i ON t (name) WHERE id > 3",
        ("index public.t.i",),
    ),
    "an index of an expression": Case(
        f"{TABLE}; CREATE INDEX i ON t (lower(name))",
        "DROP INDEX i; CREATE INDEX i ON t (upper(name) DESC) INCLUDE (id)",
        "DROP INDEX i; CREATE INDEX i ON t (lower(name))",
        ("index public.t.i",),
    ),
    "an exclusion constraint": Case(
        TABLE,
        "ALTER TABLE t ADD CONSTRAINT x EXCLUDE USING btree (name WITH =)",
        "ALTER TABLE t DROP CONSTRAINT x",
        ("constraint public.t.x",),
    ),
    "a constraint that is not validated": Case(
        f"{TABLE}; ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0)",
        "ALTER TABLE t DROP CONSTRAINT c; ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID",
        "ALTER TABLE t VALIDATE CONSTRAINT c",
        ("constraint public.t.c",),
    ),
    "a primary key that orders the table": Case(
        TABLE,
        "ALTER TABLE t CLUSTER ON t_pkey",
        "ALTER TABLE t SET WITHOUT CLUSTER",
        ("index public.t.t_pkey",),
    ),
    "a view": Case(
        f"{TABLE}; CREATE VIEW v AS SELECT id FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT id FROM t WHERE id > 1",
        "CREATE OR REPLACE VIEW v AS SELECT id FROM t",
        ("view public.v",),
    ),
    "a materialized view": Case(
        f"{TABLE}; CREATE MATERIALIZED VIEW m AS SELECT id FROM t",
        "CREATE INDEX i ON m (id)",
        "DROP INDEX i",
        ("index public.m.i",),
    ),
    "a rule": Case(
        TABLE,
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
        "DROP RULE r ON t",
        ("rule public.t.r",),
    ),
    "a policy": Case(
        TABLE,
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id > 1)",
        "DROP POLICY p ON t; ALTER TABLE t DISABLE ROW LEVEL SECURITY",
        ("policy public.t.p", "table public.t"),
    ),
    "a partition": Case(
        "CREATE TABLE p (id int) PARTITION BY RANGE (id);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (5)",
        "ALTER TABLE p DETACH PARTITION p1",
        "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (5)",
        ("table public.p1",),
    ),
    "a storage parameter": Case(
        TABLE,
        "ALTER TABLE t SET (fillfactor = 70)",
        "ALTER TABLE t RESET (fillfactor)",
        ("table public.t",),
    ),
    "a column's statistics": Case(
        TABLE,
        "ALTER TABLE t ALTER name SET (n_distinct = 5)",
        "ALTER TABLE t ALTER name RESET (n_distinct)",
        ("column public.t.name",),
    ),
    "a column's collation": Case(
        TABLE,
        'ALTER TABLE t ALTER name TYPE text COLLATE "C"',
        "ALTER TABLE t ALTER name TYPE text",
        ("column public.t.name",),
    ),
    "extended statistics": Case(
        TABLE,
        "CREATE STATISTICS s ON id, name FROM t",
        "DROP STATISTICS s",
        ("statistics public.s",),
    ),
    "comments": Case(
        TABLE,
        "COMMENT ON TABLE t IS 'one'; COMMENT ON COLUMN t.id IS 'two';"
        "COMMENT ON CONSTRAINT t_pkey ON t IS 'three'; COMMENT ON INDEX t_pkey IS 'four'",
        "COMMENT ON TABLE t IS NULL; COMMENT ON COLUMN t.id IS NULL;"
        "COMMENT ON CONSTRAINT t_pkey ON t IS NULL; COMMENT ON INDEX t_pkey IS NULL",
        (
            "comment column public.t.id",
            "comment constraint public.t.t_pkey",
            "comment index public.t.t_pkey",
            "comment table public.t",
        ),
    ),
    "grants": Case(
        f"{TABLE}; {FUNCTION}",
        "GRANT SELECT, UPDATE ON t TO pg_monitor; GRANT SELECT (id) ON t TO PUBLIC;"
        "REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC",
        "REVOKE ALL ON t FROM pg_monitor; REVOKE ALL (id) ON t FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION f() TO PUBLIC",
        ("grants column public.t.id", "grants function public.f()", "grants table public.t"),
    ),
    "what may be done in public": Case(
        "SELECT 1",
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO PUBLIC",
        ("grants schema public",),
    ),
    "default privileges": Case(
        "SELECT 1",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_monitor",
        "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM pg_monitor",
        ("default-privileges of OWNER on tables",),
    ),
    "an owner": Case(
        f"{TABLE}; CREATE TABLE other (id int)",
        "ALTER TABLE t OWNER TO pg_monitor",
        "ALTER TABLE t OWNER TO CURRENT_USER",
        ("owner table public.t",),
    ),
    "a schema": Case("SELECT 1", "CREATE SCHEMA app", "DROP SCHEMA app", ("schema app",)),
    "an extension": Case(
        "SELECT 1",
        "CREATE EXTENSION pgcrypto",
        "DROP EXTENSION pgcrypto",
        ("comment extension pgcrypto", "extension pgcrypto"),
    ),
    "a cast": Case(
        "CREATE TYPE mood AS ENUM ('sad')",
        "CREATE CAST (mood AS int) WITH INOUT",
        "DROP CAST (mood AS int)",
        ("cast (public.mood AS integer)",),
    ),
    "a publication": Case(
        f"{TABLE}; CREATE PUBLICATION p",
        "ALTER PUBLICATION p ADD TABLE t",
        "ALTER PUBLICATION p DROP TABLE t",
        ("publication p",),
    ),
    "an event trigger": Case(
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE EVENT TRIGGER g ON sql_drop EXECUTE FUNCTION e()",
        "DROP EVENT TRIGGER g",
        ("event-trigger g",),
    ),
    "a setting of the database": Case(
        "SELECT 1",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 8192', current_database());"
        " END $$",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET work_mem', current_database());"
        " END $$",
        ("database-settings of all",),
    ),
    "a mapping, without its password": Case(
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w",
        "CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (user 'u', password 'hidden away')",
        "DROP USER MAPPING FOR PUBLIC SERVER s",
        ("user-mapping PUBLIC on s",),
    ),
    "a text search configuration": Case(
        "CREATE TEXT SEARCH CONFIGURATION c (COPY = english)",
        "ALTER TEXT SEARCH CONFIGURATION c DROP MAPPING FOR email",
        "ALTER TEXT SEARCH CONFIGURATION c ADD MAPPING FOR email WITH simple",
        ("text-search-configuration public.c",),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_shows_under_its_own_keys_and_is_gone_when_undone(
    name: str, backend_name: str, as_superuser: sa.Connection
) -> None:
    case = CASES[name]
    send(as_superuser, case.before)
    before = BACKEND.snapshot(as_superuser)
    send(as_superuser, case.change)
    changed = BACKEND.snapshot(as_superuser)
    send(as_superuser, case.undo)
    undone = BACKEND.snapshot(as_superuser)
    assert tuple(change.key for change in diff(before, changed).changes) == case.keys
    assert not diff(before, undone)
    assert "hidden away" not in str(changed.objects)


CLASS = """CREATE OPERATOR CLASS {name} {default} FOR TYPE {type} USING btree AS
  OPERATOR 1 <({of}, {of}), OPERATOR 2 <=({of}, {of}), OPERATOR 3 =({of}, {of}),
  OPERATOR 4 >=({of}, {of}), OPERATOR 5 >({of}, {of}), FUNCTION 1 ({type}, {type}) {compares}"""
ANOTHER = CLASS.format(
    name="of_dom", default="DEFAULT", type="dom", of="int", compares="btint4cmp(int, int)"
)
ONE_MORE = CLASS.format(
    name="of_varchar",
    default="DEFAULT",
    type="varchar",
    of="text",
    compares="bttextcmp(text, text)",
)
INDEXED = """
CREATE SCHEMA "a b";
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN word AS text;
CREATE TABLE "a b"."Select" ("order" int, "a""b" varchar(9), c char(3), d text, e text COLLATE "C",
  f uuid, g mood, h int[], i inet, j jsonb, k word, l name, m numeric(9, 2), n tsrange, o cidr);
CREATE TABLE public.parts (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE public.part PARTITION OF public.parts FOR VALUES FROM (0) TO (9);
CREATE INDEX ON public.parts (b);
"""
INDEXES = (
    *(f"({each})" for each in ('"order"', '"a""b"', *"cdefghiklmno")),
    *(
        "(d DESC)",
        "(d NULLS FIRST)",
        "(d DESC NULLS LAST)",
        "(lower(d))",
        "(d, c)",
        "(d) INCLUDE (c)",
    ),
    *("(d text_pattern_ops)", '("a""b" varchar_pattern_ops)', '("a""b" bpchar_ops)'),
    *('(d COLLATE "C")', '(e COLLATE "C")', '(e COLLATE "default")', "(c bpchar_pattern_ops)"),
    *("(d) WHERE d > 'x'", "(d) WITH (fillfactor = 70)", "(d) WITH (deduplicate_items = off)"),
)
METHODS = (
    "USING hash (d)",
    "USING gin (j)",
    "USING gist (n)",
    "USING brin (d)",
    "USING spgist (i)",
)


def test_an_index_is_said_as_the_server_says_it(
    backend_name: str, as_superuser: sa.Connection
) -> None:
    send(as_superuser, INDEXED)
    for unique in ("", "UNIQUE "):
        for index in INDEXES:
            send(as_superuser, f'CREATE {unique}INDEX ON "a b"."Select" {index}')
    for method in METHODS:
        send(as_superuser, f'CREATE INDEX ON "a b"."Select" {method}')
    send(as_superuser, 'CREATE DOMAIN dom AS int; ALTER TABLE "a b"."Select" ADD p dom')
    send(as_superuser, ANOTHER)
    for of in ("", " int4_ops", " of_dom"):
        send(as_superuser, f'CREATE INDEX ON "a b"."Select" (p{of})')
    distinct = (as_superuser.dialect.server_version_info or ()) >= (15,)
    if distinct:
        send(as_superuser, 'CREATE UNIQUE INDEX ON "a b"."Select" (d) NULLS NOT DISTINCT')
    expected = _said_of_indexes(as_superuser)
    assert _indexes(as_superuser) == expected
    assert len(expected) == 2 * len(INDEXES) + len(METHODS) + 5 + distinct
    # It is the usual class of all columns of that type from now on.
    send(as_superuser, ONE_MORE)
    changed = _said_of_indexes(as_superuser)
    assert _indexes(as_superuser) == changed != expected


def _indexes(connection: sa.Connection) -> set[str]:
    objects = BACKEND.snapshot(connection).objects
    return {text for key, text in objects.items() if key.startswith("index ")}


def _said_of_indexes(connection: sa.Connection) -> set[str]:
    connection.exec_driver_sql("SET LOCAL search_path = pg_catalog, pg_temp")
    asked = sa.text(
        "SELECT pg_get_indexdef(indexrelid) || CASE WHEN c.relispartition THEN"
        " ', attached to ' || i.inhparent::regclass ELSE '' END FROM pg_index"
        " JOIN pg_class c ON c.oid = indexrelid LEFT JOIN pg_inherits i ON i.inhrelid = c.oid"
        " WHERE indexrelid >= 16384 AND NOT c.relname LIKE 'pg_toast%'"
    )
    said = set(connection.execute(asked).scalars())
    connection.rollback()
    return said
