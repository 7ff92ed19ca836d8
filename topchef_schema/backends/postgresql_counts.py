"""What a PostgreSQL server counts and keeps, as far as it tells what was written since.

https://www.postgresql.org/docs/current/monitoring-stats.html: what a session has written is counted
when it is idle, at its end, and when it asks for it (since 15); the system's own catalogs are
counted like any table. Every row tells the transaction that wrote it (``xmin``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
  SELECT o.place, pg_stat_get_tuples_inserted(o.oid) AS i, pg_stat_get_tuples_updated(o.oid) AS u,
    pg_stat_get_tuples_deleted(o.oid) AS d
  FROM unnest('{{{0}}}'::oid[]) WITH ORDINALITY o(oid, place)
  UNION ALL
  SELECT NULL, pg_stat_get_tuples_inserted(c.oid), pg_stat_get_tuples_updated(c.oid),
    pg_stat_get_tuples_deleted(c.oid)
  FROM pg_catalog.pg_class c WHERE c.relname = ANY ($1) AND c.relkind = 'r')
SELECT (SELECT string_agg(concat_ws(' ', i, u, d), ',' ORDER BY place) FROM own
    WHERE place IS NOT NULL) AS "(catalogs)",
  (SELECT concat_ws(' ', pg_stat_get_db_tuples_inserted(b.oid) - sum(i),
    pg_stat_get_db_tuples_updated(b.oid) - sum(u), pg_stat_get_db_tuples_deleted(b.oid) - sum(d))
    FROM own) AS "(rows)",
  EXISTS (SELECT FROM pg_catalog.pg_inherits)
    OR EXISTS (SELECT FROM pg_catalog.pg_foreign_table) AS "(elsewhere)",
  EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.oid >= 16384) AS "(rules)",
  EXISTS (SELECT FROM pg_catalog.pg_policy) AS "(policies)",
  (SELECT string_agg(current_setting(s), ' ') FROM unnest('{{TimeZone, DateStyle, IntervalStyle,
    bytea_output, extra_float_digits}}'::text[]) s) AS "(settings)",
  (SELECT concat_ws(' ', count(*), sum(hashtext(concat(d.classid, ' ', d.objid))))
    FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_extension'::regclass) AS "(members)",
  current_user::text AS "(user)",
  pg_stat_get_db_stat_reset_time(b.oid)::text AS "(reset)",
  (pg_snapshot_xmax(pg_current_snapshot())::xid)::text AS "(next)",
  current_setting('track_counts') AS "(counting)",
  (SELECT concat_ws(' ', count(*), sum(hashtext(concat(r.oid, r.rolname))))
    FROM pg_catalog.pg_roles r) AS "(roles)",
  (SELECT concat_ws(' ', count(*), sum(hashtext(m::text)))
    FROM pg_catalog.pg_user_mappings m) AS "(mappings)",
  (SELECT concat_ws(' ', count(*), max(s.xmin::text::bigint))
    FROM pg_catalog.pg_db_role_setting s) AS "(role settings)",
  (SELECT concat_ws(' ', count(*), max(s.xmin::text::bigint))
    FROM pg_catalog.pg_tablespace s) AS "(tablespaces)",
  (SELECT string_agg(concat_ws(' ', a.pid, coalesce(a.state, clock_timestamp()::text),
      a.state_change, a.xact_start), '; ' ORDER BY a.pid)
    FROM pg_catalog.pg_stat_get_activity(NULL) a
    WHERE a.datid = b.oid AND a.pid <> pg_backend_pid()
      AND coalesce(a.backend_type, 'client backend') = 'client backend') AS "(sessions)",
  (SELECT clock_timestamp()::text FROM pg_catalog.pg_prepared_xact() p WHERE p.dbid = b.oid LIMIT 1)
    AS "(prepared)"
FROM pg_catalog.pg_database b WHERE b.datname = current_database()
"""
"""What was counted of the server's own tables {0}, and of all rows but theirs and those of the
tables $1.

Another session that has done nothing since has the same state; what it wrote before may still come.
One of another user shows nothing. So nobody else has committed anything between two looks that tell
the same of all; and what this session commits later has a number that is not given yet, unless it
was prepared before.
"""

_OWN = """
SELECT c.oid, CASE WHEN c.relkind = 'r' AND c.relnamespace = 'pg_catalog'::regnamespace
  THEN c.relname::text END
FROM pg_catalog.pg_class c WHERE c.oid < 16384 AND c.relkind IN ('r', 't') AND NOT c.relisshared
ORDER BY c.oid
"""
"""The server's own tables in this database, and the names of those that are the catalog."""

_TABLES = f"""
SELECT concat(n.nspname, '{SEPARATOR}', c.relname), {_MARK.format(", c.oid, c.relfilenode")}
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
"""
"""What was counted of each table that holds its rows itself.

TRUNCATE, or a new type, gives a table another file.
"""

_UNCOUNTED = {"(next)", "(rows)", "(elsewhere)", "(rules)", "(policies)", "(settings)"}
_UNCOUNTED |= {"pg_statistic", "pg_statistic_ext_data"}
_UNCOUNTED |= {"pg_init_privs", "pg_largeobject", "pg_largeobject_metadata", "pg_seclabel"}
_UNCOUNTED |= {"pg_subscription_rel"}
"""Nothing of these is part of a schema."""

_BODIES = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p
  WHERE p.oid >= 16384 AND (to_jsonb(p) ->> 'prosqlbody') IS NOT NULL)
"""

TYPES_SQL = """
SELECT concat_ws(' ', count(*), max(x.xmin::text::bigint)) FROM pg_catalog.pg_type x
WHERE x.oid >= 16384 AND (x.typrelid = 0 AND x.typcategory <> 'A' OR x.typacl IS NOT NULL)
"""
"""Tells of the types that are no mere rows of a table, and no arrays."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted at one look; empty: nothing is known."""

    marks: Mapping[str, Any] = field(default_factory=dict)

    @property
    def next(self) -> str:
        """The number that no transaction of this session had yet, nor any that had ended."""
        return str(self.marks["(next)"])

    def comparable(self, before: Counts) -> bool:
        """Whether all is counted that was written since."""
        same = all(self.marks.get(each) == before.marks.get(each) for each in _ALL_COUNTED)
        return same and self.marks.get("(counting)") == "on"

    def changed_since(self, before: Counts) -> set[str] | None:
        """Return what of the catalog, and beside it, was written to; None if that is not known."""
        if not self.comparable(before):
            return None
        return {
            name
            for name, mark in self.marks.items()
            if before.marks.get(name) != mark and name not in _UNCOUNTED
        }

    def same_rows(self, before: Counts, told: Mapping[str, int]) -> bool:
        """Whether no table has got other rows since, but as *told*, or with a row of `pg_class`.

        That is how many rows were written, by the statement. What makes a table, empties it, or
        writes it anew gives it another row there. What was written to a table that is emptied or
        dropped is not counted, and with a rule, or a view, a statement may write to another table
        than it names: so nothing is taken from what is told where the catalog has changed, or there
        is such a thing.
        """
        both = self, before
        if not self.comparable(before) or any(each.marks[ELSEWHERE] for each in both):
            return False
        if not self.shows_rows_as(before):
            return False
        if told and (self.marks["(rules)"] or self.changed_since(before) != set()):
            return False
        more = [told.get(each, 0) for each in ("INSERT", "UPDATE", "DELETE")]
        return _three(self, ROWS) == list(map(int.__add__, _three(before, ROWS), more))

    def shows_rows_as(self, before: Counts) -> bool:
        """Whether rows that are the same are seen, and look, the same.

        What a policy hides may depend on anything.
        """
        same = self.marks["(settings)"] == before.marks["(settings)"]
        return same and not (self.marks["(policies)"] or before.marks["(policies)"])

    def same_relations(self, before: Counts) -> bool:
        """Whether no relation has come, gone, or got another row in `pg_class`."""
        return bool(self.marks[RELATIONS] == before.marks.get(RELATIONS))

    def written(self, catalog: str, before: Counts) -> int:
        """Return how often a row of *catalog* was inserted or updated."""
        return sum(_three(self, catalog)[:2]) - sum(_three(before, catalog)[:2])

    def lost(self, catalog: str, before: Counts) -> int:
        """Return how many rows of *catalog* were deleted."""
        return _three(self, catalog)[2] - _three(before, catalog)[2]


def _three(counts: Counts, catalog: str) -> list[int]:
    """Return how many rows of *catalog* were inserted, updated and deleted."""
    return [int(each) for each in counts.marks[catalog].split()]


_ALL_COUNTED = ("(counting)", "(prepared)", "(reset)", "(sessions)")
RELATIONS = "pg_class"
ROWS = "(rows)"
ELSEWHERE = "(elsewhere)"


def can_count(connection: Connection) -> bool:
    """Whether what this session has written can be seen in the counts."""
    version = connection.dialect.server_version_info or (0,)
    return version >= OLDEST and not connection.in_transaction()


@dataclass
class Counting:
    """Counts in one database, but for the rows of the tables *exclude*."""

    exclude: Collection[str]
    _own: Mapping[int, str | None] = field(default_factory=dict)
    _asking: Statement | None = None

    def counted(self, look: Look) -> Counts:
        """Return what is counted now."""
        if self._asking is None:
            self._own = dict(look.rows(Statement("own", _OWN)))
            sql = _COUNTS.format(",".join(map(str, self._own)))
            self._asking = Statement("counts", sql, "(text[])")
        names = ", ".join("'" + each.replace("'", "''") + "'" for each in sorted(self.exclude))
        (row,) = look.rows(self._asking, f"(ARRAY[{names}]::text[])")
        catalogs, *more = row
        own = zip(self._own.values(), catalogs.split(","), strict=True)
        marks = {name: mark for name, mark in own if name is not None}
        return Counts({**marks, **dict(zip(_MORE, more, strict=True))})


def counted_tables(look: Look) -> dict[str, str]:
    """Return what was counted of each table."""
    return dict(look.rows(_COUNTED_TABLES))


def written(tables: Mapping[str, str], before: Mapping[str, str]) -> Written:
    """Return what tells which tables may have been written to between two counts of them."""
    same = {name for name, mark in tables.items() if before.get(name) == mark}
    return lambda names: [
        key for key, table in names.items() if f"{table.schema}{SEPARATOR}{table.name}" not in same
    ]


_MORE = re.findall(r'AS "(\(.*?\))"', _COUNTS)[1:]
"""What is counted beside the catalogs, in its order."""

_COUNTED_TABLES = Statement("tables", _TABLES)


def types(connection: Connection) -> str:
    """Return what tells whether a type has come or gone, or is another."""
    return str(connection.exec_driver_sql(TYPES_SQL).scalar_one())


def has_bodies(connection: Connection) -> bool:
    """Whether there are functions that the server keeps as SQL, made of the columns of tables."""
    return bool(connection.exec_driver_sql(_BODIES).scalar_one())
