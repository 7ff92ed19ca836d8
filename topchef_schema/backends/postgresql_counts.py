"""What a PostgreSQL server counts and keeps, as far as it tells what was written since.

https://www.postgresql.org/docs/current/monitoring-stats.html: what a session has written is counted
when it is idle, at its end, and when it asks for it (since 15); the system's own catalogs are
counted like any table. Every row tells the transaction that wrote it (``xmin``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from topchef_schema.backends.base import undisturbed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.backends.following import Written
    from topchef_schema.backends.postgresql_planned import Planned


OLDEST = (15,)

SEPARATOR = "\x01"
"""Between a schema's name and a table's."""

_MARK = """concat_ws(' ', pg_stat_get_tuples_inserted(c.oid), pg_stat_get_tuples_updated(c.oid),
    pg_stat_get_tuples_deleted(c.oid){0})"""
COUNTS = f"""
SELECT (SELECT json_object_agg(k.name, k.mark)::text FROM (
SELECT c.relname::text AS name, {_MARK.format("")} AS mark FROM pg_catalog.pg_class c
  WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared
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
    AND coalesce(a.backend_type, 'client backend') = 'client backend') k),
(SELECT json_object_agg(concat(n.nspname, '{{0}}', c.relname),
    {_MARK.format(", c.oid, c.relfilenode")})::text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.oid >= 16384
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid))
""".format(SEPARATOR)
"""What was counted of the catalogs, and of the tables that hold their rows themselves.

TRUNCATE, or a new type, gives a table another file. Another session that has done nothing since has
the same state; what it wrote before may still come. One of another user shows nothing.
"""

_UNCOUNTED = {"(next)", "pg_statistic", "pg_statistic_ext_data"}
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

CHANGES = "\nUNION ALL\n".join(
    [
        f"SELECT '{name}', {what}, NULL FROM pg_catalog.{name} x WHERE {which}"
        f" AND '{name}' = ANY ($2) AND age(x.xmin) <= (SELECT age($1))"
        for name, (what, which) in [
            *_KEYS.items(),
            *((name, (f"0, {unit}", which)) for name, (unit, which) in _PARTS.items()),
        ]
    ]
    + [
        f"SELECT '{name}', NULL, NULL, string_agg(({what.partition(',')[0]})::text, ' ')"
        f" FROM pg_catalog.{name} x WHERE {which} HAVING '{name}' = ANY ($3)"
        for name, (what, which) in _KEYS.items()
    ]
    + [f"SELECT 'pg_type', NULL, NULL, ({_TYPES}) WHERE 'pg_type' = ANY ($2 || $3)"]
)
"""What was written to the catalogs $2 since the transaction $1, and what is left in those of $3.

Rows of catalog, what hangs on a relation, that relation; or all that is left, in one text.
"""

Keys = dict[str, dict[int, int]]
"""By catalog: the oid of what hangs on a relation, and that of the relation."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted at one look, of the catalogs and of the tables; empty: nothing is known."""

    marks: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)

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

    def tables_since(self, before: Counts) -> Written:
        """Return what tells which tables may have been written to."""
        same = {name for name, mark in self.tables.items() if before.tables.get(name) == mark}
        return lambda tables: [
            key
            for key, table in tables.items()
            if f"{table.schema}{SEPARATOR}{table.name}" not in same
        ]

    def written(self, catalog: str, before: Counts) -> bool:
        """Whether a row of *catalog* was inserted or updated."""
        return self.marks[catalog].split()[:2] != before.marks[catalog].split()[:2]

    def lost(self, catalog: str, before: Counts) -> bool:
        """Whether a row of *catalog* was deleted."""
        return self.marks[catalog].split()[2:] != before.marks[catalog].split()[2:]


_ALL_COUNTED = ("(counting)", "(sessions)")
DESCRIPTIONS = "pg_description"
TYPES = "pg_type"


def can_count(connection: Connection) -> bool:
    """Whether what this session has written can be seen in the counts."""
    version = connection.dialect.server_version_info or (0,)
    return version >= OLDEST and not connection.in_transaction()


def counted(connection: Connection, planned: Planned) -> Counts:
    """Look at what was counted; nothing where this session cannot see what it has written."""
    if not can_count(connection):
        return Counts()
    planned.flush(connection)
    with undisturbed(connection):
        return looked_up(connection, planned)


def looked_up(connection: Connection, planned: Planned) -> Counts:
    """Return what was counted, in a transaction that began after the last flush."""
    ((marks, tables),) = planned.rows(connection, "counts", COUNTS)
    return Counts(json.loads(marks), json.loads(tables or "{}"))


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
    where nothing was written to them.
    """

    units: set[int] = field(default_factory=set)
    types: str | None = None


def changes(
    connection: Connection, planned: Planned, now: Counts, before: Counts, keys: Keys
) -> Changes:
    """Return what differs, and bring *keys* up to date."""
    catalogs = (*_KEYS, *_PARTS, TYPES)
    written = [each for each in catalogs if now.written(each, before)]
    lost = [each for each in catalogs if now.lost(each, before)]
    found = Changes()
    values = f"('{before.next}', {_array(written)}, {_array(lost)})"
    for name, oid, unit, text in planned.rows(
        connection, "changes", CHANGES, "(xid, text[], text[])", values
    ):
        if name == TYPES:
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


def _array(names: Iterable[str]) -> str:
    return f"'{{{','.join(names)}}}'"


def array(oids: Iterable[int]) -> str:
    """Return *oids* as SQL."""
    return f"'{{{', '.join(map(str, oids))}}}'::oid[]"
