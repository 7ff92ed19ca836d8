"""What a PostgreSQL server counts and keeps, as far as it tells what was written since.

https://www.postgresql.org/docs/current/monitoring-stats.html: what a session has written is counted
when it is idle, at its end, and when it asks for it (since 15); the system's own catalogs are
counted like any table. Every row tells the transaction that wrote it (``xmin``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from topchef_schema.backends import postgresql_queries as queries
from topchef_schema.backends.postgresql_planned import Statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.backends.following import Written
    from topchef_schema.backends.postgresql_planned import Look


OLDEST = (15,)

SEPARATOR = "\x01"
"""Between a schema's name and a table's."""

_MARK = """concat_ws(' ', pg_stat_get_tuples_inserted(c.oid), pg_stat_get_tuples_updated(c.oid),
    pg_stat_get_tuples_deleted(c.oid){0})"""
_COUNTS = """
WITH own AS MATERIALIZED (
  SELECT c.relname::text AS name, c.relkind = 'r' AND c.oid < 16384
      AND c.relnamespace = 'pg_catalog'::regnamespace AS catalog,
    pg_stat_get_tuples_inserted(c.oid) AS i, pg_stat_get_tuples_updated(c.oid) AS u,
    pg_stat_get_tuples_deleted(c.oid) AS d
  FROM pg_catalog.pg_class c
  WHERE c.oid < 16384 AND c.relkind IN ('r', 't') AND NOT c.relisshared
    OR c.relname = ANY ($1) AND c.relkind = 'r')
SELECT json_object_agg(k.name, k.mark)::text FROM (
SELECT name, concat_ws(' ', i, u, d) AS mark FROM own WHERE catalog
UNION ALL SELECT '(rows)', (SELECT concat_ws(' ', pg_stat_get_db_tuples_inserted(b.oid) - sum(i),
    pg_stat_get_db_tuples_updated(b.oid) - sum(u), pg_stat_get_db_tuples_deleted(b.oid) - sum(d))
  FROM own) FROM pg_catalog.pg_database b WHERE b.datname = current_database()
UNION ALL SELECT '(elsewhere)', (EXISTS (SELECT FROM pg_catalog.pg_inherits)
  OR EXISTS (SELECT FROM pg_catalog.pg_foreign_table))::text
UNION ALL SELECT '(rules)', (EXISTS (SELECT FROM pg_catalog.pg_rewrite w
  WHERE w.oid >= 16384))::text
UNION ALL SELECT '(user)', current_user::text
UNION ALL SELECT '(reset)', (SELECT pg_stat_get_db_stat_reset_time(b.oid)::text
  FROM pg_catalog.pg_database b WHERE b.datname = current_database())
UNION ALL SELECT '(next)', (pg_snapshot_xmin(pg_current_snapshot())::xid)::text
UNION ALL SELECT '(counting)', current_setting('track_counts')
UNION ALL SELECT '(roles)', concat_ws(' ', count(*), sum(hashtext(concat(r.oid, r.rolname))))
  FROM pg_catalog.pg_roles r
UNION ALL SELECT '(mappings)', concat_ws(' ', count(*), sum(hashtext(m::text)))
  FROM pg_catalog.pg_user_mappings m
UNION ALL SELECT '(role settings)', concat_ws(' ', count(*), max(s.xmin::text::bigint))
  FROM pg_catalog.pg_db_role_setting s
UNION ALL SELECT '(tablespaces)', concat_ws(' ', count(*), max(s.xmin::text::bigint))
  FROM pg_catalog.pg_tablespace s
UNION ALL SELECT '(sessions)', string_agg(
    concat_ws(' ', a.pid, coalesce(a.state, clock_timestamp()::text), a.state_change,
      a.xact_start), '; ' ORDER BY a.pid)
  FROM pg_catalog.pg_stat_get_activity(NULL) a
  WHERE a.datid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE datname = current_database())
    AND a.pid <> pg_backend_pid()
    AND coalesce(a.backend_type, 'client backend') = 'client backend') k
"""
"""What was counted of the catalogs, and of all rows but theirs and those of the tables $1.

Another session that has done nothing since has the same state; what it wrote before may still come.
One of another user shows nothing.
"""

_TABLES = f"""
SELECT concat(n.nspname, '{SEPARATOR}', c.relname), {_MARK.format(", c.oid, c.relfilenode")}
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
"""
"""What was counted of each table that holds its rows itself.

TRUNCATE, or a new type, gives a table another file.
"""

_UNCOUNTED = {"(next)", "(rows)", "(elsewhere)", "(rules)"}
_UNCOUNTED |= {"pg_statistic", "pg_statistic_ext_data"}
_UNCOUNTED |= {"pg_init_privs", "pg_largeobject", "pg_largeobject_metadata", "pg_seclabel"}
_UNCOUNTED |= {"pg_subscription_rel"}
"""Nothing of these is part of a schema."""

_KEYS = {
    "pg_class": (
        "x.oid, coalesce((SELECT i.indrelid FROM pg_catalog.pg_index i WHERE i.indexrelid = x.oid),"
        " CASE WHEN x.relkind = 't' THEN (SELECT d.refobjid FROM pg_catalog.pg_depend d"
        " WHERE d.classid = 'pg_class'::regclass AND d.objid = x.oid AND d.deptype = 'i'"
        " AND d.refclassid = 'pg_class'::regclass LIMIT 1) END, x.oid)",
        "x.oid >= 16384",
    ),
    "pg_constraint": ("x.oid, x.conrelid", "x.oid >= 16384"),
    "pg_trigger": ("x.oid, x.tgrelid", "x.oid >= 16384"),
    "pg_rewrite": ("x.oid, x.ev_class", "x.oid >= 16384"),
    "pg_policy": ("x.oid, x.polrelid", "true"),
    "pg_statistic_ext": ("x.oid, x.stxrelid", "true"),
    "pg_depend": (
        "x.objid, x.objid",
        "x.classid = 'pg_class'::regclass AND x.refclassid = 'pg_class'::regclass"
        " AND x.deptype IN ('a', 'i') AND x.refobjsubid > 0 AND x.objid >= 16384",
    ),
}
"""By catalog: what tells its rows apart and the relation they belong to, and which rows count.

Of `pg_depend` those that say which column owns a sequence.
"""

_OF_COLUMNS = (
    "coalesce((SELECT i.indrelid FROM pg_catalog.pg_index i WHERE i.indexrelid = x.{0}), x.{0})"
)
_PARTS = {
    "pg_attribute": (_OF_COLUMNS.format("attrelid"), "x.attrelid >= 16384"),
    "pg_inherits": (_OF_COLUMNS.format("inhrelid"), "true"),
    "pg_attrdef": ("x.adrelid", "true"),
    "pg_index": ("x.indrelid", "x.indexrelid >= 16384"),
    "pg_sequence": ("x.seqrelid", "true"),
    "pg_partitioned_table": ("x.partrelid", "true"),
    "pg_foreign_table": ("x.ftrelid", "true"),
}
"""The same of catalogs of which no row goes away without another that is written or goes, too.

But for `pg_inherits`.
"""

_BODIES = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p
  WHERE p.oid >= 16384 AND (to_jsonb(p) ->> 'prosqlbody') IS NOT NULL)
"""

_TYPES = """
SELECT concat_ws(' ', count(*), max(x.xmin::text::bigint)) FROM pg_catalog.pg_type x
WHERE x.oid >= 16384 AND (x.typrelid = 0 AND x.typcategory <> 'A' OR x.typacl IS NOT NULL)
"""
"""Tells of the types that are no mere rows of a table, and no arrays."""

_WRITTEN = {
    name: f"SELECT '{name}', {what}, NULL FROM pg_catalog.{name} x"
    f" WHERE {which} AND age(x.xmin) <= (SELECT age($1))"
    for name, (what, which) in [
        *_KEYS.items(),
        *((name, (f"0, {unit}", which)) for name, (unit, which) in _PARTS.items()),
    ]
}
"""By catalog, what finds the rows written to it since the transaction $1.

Rows of catalog, what hangs on a relation, that relation.
"""

_LEFT = {
    name: f"SELECT '{name}', NULL, NULL, string_agg(({what.partition(',')[0]})::text, ' ')"
    f" FROM pg_catalog.{name} x WHERE {which}"
    for name, (what, which) in _KEYS.items()
}
"""By catalog, what finds all that is left in it, in one text."""

Keys = dict[str, dict[int, int]]
"""By catalog: the oid of what hangs on a relation, and that of the relation."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted at one look; empty: nothing is known."""

    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def next(self) -> str:
        """The oldest transaction of which nothing could be seen then."""
        return self.marks["(next)"]

    def comparable(self, before: Counts) -> bool:
        """Whether all is counted that was written since."""
        same = all(self.marks.get(each) == before.marks.get(each) for each in _ALL_COUNTED)
        return same and self.marks.get("(counting)") == "on"

    def changed_since(self, before: Counts) -> set[str] | None:
        """Return the catalogs written to; None where that may concern more than relations."""
        if not self.comparable(before):
            return None
        changed = {
            name
            for name, mark in self.marks.items()
            if before.marks.get(name) != mark and name not in _UNCOUNTED
        }
        others = changed - _KEYS.keys() - _PARTS.keys() - {DESCRIPTIONS, TYPES}
        return None if others or self.lost("pg_inherits", before) else changed

    def same_rows(self, before: Counts, told: Mapping[str, int]) -> bool:
        """Whether no table that there was, and is, can have got other rows since, but as *told*.

        That is how many rows were written, by the statement. What empties a table, or writes it
        anew, changes its row in the catalog; one that was made anew has lost a row there, and got
        another. What was written to a table that is emptied or dropped is not counted, and with a
        rule, or a view, a statement may write to another table than it names: so nothing is taken
        from what is told where the catalog has changed, or there is such a thing.
        """
        both = self, before
        if not self.comparable(before) or "true" in (each.marks[ELSEWHERE] for each in both):
            return False
        made, changed, gone = map(int.__ne__, *(_three(each, RELATIONS) for each in both))
        if changed or (made and gone):
            return False
        if told and (self.marks["(rules)"] == "true" or self.changed_since(before) != set()):
            return False
        more = [told.get(each, 0) for each in ("INSERT", "UPDATE", "DELETE")]
        return _three(self, ROWS) == list(map(int.__add__, _three(before, ROWS), more))

    def written(self, catalog: str, before: Counts) -> bool:
        """Whether a row of *catalog* was inserted or updated."""
        return _three(self, catalog)[:2] != _three(before, catalog)[:2]

    def lost(self, catalog: str, before: Counts) -> bool:
        """Whether a row of *catalog* was deleted."""
        return _three(self, catalog)[2] != _three(before, catalog)[2]


def _three(counts: Counts, catalog: str) -> list[int]:
    """Return how many rows of *catalog* were inserted, updated and deleted."""
    return [int(each) for each in counts.marks[catalog].split()]


_ALL_COUNTED = ("(counting)", "(reset)", "(sessions)")
RELATIONS = "pg_class"
ROWS = "(rows)"
ELSEWHERE = "(elsewhere)"
DESCRIPTIONS = "pg_description"
TYPES = "pg_type"


def can_count(connection: Connection) -> bool:
    """Whether what this session has written can be seen in the counts."""
    version = connection.dialect.server_version_info or (0,)
    return version >= OLDEST and not connection.in_transaction()


def counted(look: Look, exclude: Collection[str]) -> Counts:
    """Return what was counted; rows of the tables *exclude* are not counted."""
    names = ", ".join("'" + each.replace("'", "''") + "'" for each in sorted(exclude))
    ((marks,),) = look.rows(_COUNTED, f"(ARRAY[{names}]::text[])")
    return Counts(json.loads(marks))


def counted_tables(look: Look) -> dict[str, str]:
    """Return what was counted of each table."""
    return dict(look.rows(_COUNTED_TABLES))


def written(tables: Mapping[str, str], before: Mapping[str, str]) -> Written:
    """Return what tells which tables may have been written to between two counts of them."""
    same = {name for name, mark in tables.items() if before.get(name) == mark}
    return lambda names: [
        key for key, table in names.items() if f"{table.schema}{SEPARATOR}{table.name}" not in same
    ]


_COUNTED = Statement("counts", _COUNTS, "(text[])")
_COUNTED_TABLES = Statement("tables", _TABLES)


def types(connection: Connection) -> str:
    """Return what tells whether a type has come or gone, or is another."""
    return str(connection.exec_driver_sql(_TYPES).scalar_one())


def has_bodies(connection: Connection) -> bool:
    """Whether there are functions that the server keeps as SQL, made of the columns of tables."""
    return bool(connection.exec_driver_sql(_BODIES).scalar_one())


def all_keys(connection: Connection) -> Keys:
    """Return what hangs on relations."""
    found: Keys = {name: {} for name in _KEYS}
    asked = "\nUNION ALL\n".join(
        f"SELECT '{name}', {what} FROM pg_catalog.{name} x WHERE {which}"
        for name, (what, which) in _KEYS.items()
    )
    for name, oid, unit in connection.exec_driver_sql(asked):
        found[name][oid] = unit
    return found


@dataclass
class Changes:
    """What differs between two looks: *units* are the relations of which anything was written.

    Or is gone; zero stands for what belongs to no relation. *types* is what `types` returns, None
    where nothing was written to them; *owner* is the usual owner.
    """

    units: set[int] = field(default_factory=set)
    types: str | None = None
    owner: int | None = None


def changes(look: Look, settings: Statement, now: Counts, before: Counts, keys: Keys) -> Changes:
    """Return what differs, and bring *keys* up to date."""
    found = Changes()
    for name, oid, unit, text in look.rows(_finding(settings, now, before), f"('{before.next}')"):
        if name == "(owner)":
            found.owner = oid
        elif name == TYPES:
            found.types = text
        elif unit is None:
            there = set(map(int, (text or "").split()))
            gone = keys[name].keys() - there
            found.units |= {keys[name].pop(each) for each in gone}
        else:
            found.units.add(unit)
            if oid:
                keys[name][oid] = unit
    return found


def _finding(settings: Statement, now: Counts, before: Counts) -> Statement:
    """Return what looks for changes where there are any, and tells the usual owner.

    To get ready to look into all catalogs takes as long as to look into one.
    """
    parts = [
        (True, f"SELECT '(owner)', ({queries.OWNER})::oid, NULL::oid, NULL::text"),
        *((now.written(name, before), sql) for name, sql in _WRITTEN.items()),
        *((now.lost(name, before), sql) for name, sql in _LEFT.items()),
        (now.marks[TYPES] != before.marks[TYPES], f"SELECT '{TYPES}', NULL, NULL, ({_TYPES})"),
    ]
    which = sum(wanted << place for place, (wanted, _) in enumerate(parts))
    sql = "\nUNION ALL\n".join(sql for wanted, sql in parts if wanted)
    return Statement(f"changes_{which:x}", sql, "(xid)", settings)


def array(oids: Iterable[int]) -> str:
    """Return *oids* as SQL."""
    return f"'{{{', '.join(map(str, oids))}}}'::oid[]"
