"""A schema that is made from what PostgreSQL prints of another is the same schema."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.connections import send
from topchef_schema.backends.postgresql import BACKEND
from topchef_schema.backends.postgresql_spelling import as_read_again
from topchef_schema.model import diff

TABLE = """
CREATE DOMAIN code AS varchar(9) CHECK (VALUE IN ('a', 'b'));
CREATE TABLE t (id int, v varchar(10) DEFAULT 'a', c char(5), x text, n numeric(10, 2), f float,
  s smallint, at timestamp, d date, tags varchar(5)[], j jsonb, k code, "odd, [(" varchar(9),
  g boolean GENERATED ALWAYS AS (v IN ('a', 'b')) STORED)
"""
CONDITIONS = """
v IN ('a', 'b')
v NOT IN ('it''s', 'b, c]', '(ARRAY[')
v IN ('a', NULL) OR x IN ('c', 'd')
v IN (x, upper('b'), 'c'::varchar(3))
v = ANY (ARRAY['a', 'b']::varchar[])
v LIKE ANY (ARRAY['a%', 'b%']::varchar[])
"odd, [(" IN ('a', 'b')
k IN ('a', 'b')
c IN ('a', 'b')
x IN (v, 'a')
CASE WHEN v IN ('a', 'b') THEN x IN ('c', 'd') ELSE lower(v) IN ('e', 'f') END
coalesce(v, 'x') IN ('a', 'b')
n = ANY (ARRAY[1, 2])
n IN (1, 2.5)
f = ANY (ARRAY[-1, 2])
s BETWEEN -5 AND 5
at IN ('2020-01-01', '2021-01-01 10:00')
d > date '2020-01-01' + 3
tags <@ ARRAY['a', 'b']::varchar[]
j ?| ARRAY[v, 'a']
j ->> 'a' IN ('a', 'b')
cardinality(ARRAY[v, 'a']) > 1
""".strip().splitlines()
ANEW = """
SELECT format('ALTER TABLE t DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', conname, conname,
  pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid = 't'::regclass
UNION ALL SELECT format('ALTER DOMAIN code DROP CONSTRAINT %I; ALTER DOMAIN code ADD %s', conname,
  pg_get_constraintdef(oid)) FROM pg_constraint WHERE contypid = 'code'::regtype
UNION ALL SELECT format('DROP INDEX %s; %s', indexrelid::regclass, pg_get_indexdef(indexrelid))
  FROM pg_index WHERE indrelid = 't'::regclass
UNION ALL SELECT format('CREATE OR REPLACE VIEW %s AS %s', oid::regclass, pg_get_viewdef(oid))
  FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace
UNION ALL SELECT format('ALTER POLICY p ON t USING (%s)', pg_get_expr(polqual, polrelid))
  FROM pg_policy
UNION ALL SELECT format('ALTER TABLE t DROP COLUMN g; ALTER TABLE t ADD COLUMN g boolean GENERATED '
  'ALWAYS AS (%s) STORED', pg_get_expr(adbin, adrelid)) FROM pg_attrdef JOIN pg_attribute
  ON attrelid = adrelid AND attnum = adnum WHERE attgenerated <> ''
"""
"""What makes each object anew, from its own text."""


@pytest.mark.backends("postgresql")
def test_what_is_made_from_its_own_text_is_the_same(
    backend_name: str, connection: sa.Connection
) -> None:
    send(connection, f"{TABLE}; CREATE POLICY p ON t USING (v IN ('a', 'b'))")
    for number, each in enumerate(CONDITIONS):
        send(
            connection,
            f"ALTER TABLE t ADD CONSTRAINT c{number} CHECK ({each});"
            f" CREATE INDEX i{number} ON t (({each}), id) WHERE {each};"
            f" CREATE VIEW v{number} AS SELECT {each} AS one, ARRAY[v, x] AS two FROM t",
        )
    before = BACKEND.snapshot(connection)
    texts = connection.scalars(sa.text(ANEW)).all()
    assert any(")::text[]" in each for each in texts)
    for each in texts:
        send(connection, each)
    assert diff(before, BACKEND.snapshot(connection)).changes == ()


@pytest.mark.parametrize(
    ("printed", "again"),
    [
        ("(ARRAY['a'::x])::text[]", "ARRAY[('a'::x)::text]"),
        (
            'ANY ((ARRAY[1, f(2, 3)])::pg_catalog."odd []"[]))',
            'ANY (ARRAY[(1)::pg_catalog."odd []", (f(2, 3))::pg_catalog."odd []"]))',
        ),
        (
            "(ARRAY[a, (ARRAY[b])::t[]])::timestamp(3) without time zone[]",
            "ARRAY[(a)::timestamp(3) without time zone,"
            " (ARRAY[(b)::t])::timestamp(3) without time zone]",
        ),
    ],
)
def test_each_element_is_cast(printed: str, again: str) -> None:
    assert as_read_again(printed) == again


@pytest.mark.parametrize(
    "text",
    [
        "(ARRAY['a'::x])::text",
        "(ARRAY[a] || b)::text[]",
        "(b || ARRAY[a])::text[]",
        "(ARRAY[a])::text[",
        "f(ARRAY[a])::text[]",
        "(ARRAY[ARRAY[a], ARRAY[b]])::text[]",
        "'it''s (ARRAY[a])::text[]'",
        '"(ARRAY[a])::text[]"',
        "$f$ (ARRAY[a])::text[] '$f$",
        "])}(ARRAY[a",
    ],
)
def test_all_else_stays_as_it_is(text: str) -> None:
    assert as_read_again(text) == text


PIECES = ["(", "(ARRAY[", "a", "'b'::x", ", ", "])::text[]", "]", ")", "'", '"', "$f$", "[", " "]
LISTS = st.lists(st.sampled_from(PIECES)).map("".join)


@given(LISTS)
def test_what_was_read_again_changes_no_more(text: str) -> None:
    again = as_read_again(text)
    assert as_read_again(again) == again
    assert sorted(re.findall(r"'b'|a\b", again)) == sorted(re.findall(r"'b'|a\b", text))
