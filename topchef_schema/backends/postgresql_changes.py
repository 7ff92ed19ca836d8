"""Finds out which relations of a PostgreSQL database differ since the last look at its catalog.

To look for the new rows of a catalog is to read all of it: there is no index by transaction. So
first those are looked for that hang on relations with a new row in `pg_class`, and those that are
gone of the tables that statements named. Are these as many as the server has counted, there are no
others; else the whole catalog is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from topchef_schema.backends import postgresql_queries as queries
from topchef_schema.backends.postgresql_counts import RELATIONS, TYPES_SQL, Counts
from topchef_schema.backends.postgresql_planned import Look, Statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

COLUMNS = "pg_attribute"
DEFAULTS = "pg_attrdef"
DEPENDENCIES = "pg_depend"
DESCRIPTIONS = "pg_description"
TYPES = "pg_type"

_OWNED = (
    "x.classid = 'pg_class'::regclass AND x.refclassid = 'pg_class'::regclass"
    " AND x.deptype IN ('a', 'i') AND x.refobjsubid > 0 AND x.objid >= 16384"
)
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
    "pg_attrdef": ("x.oid, x.adrelid", "true"),
    "pg_depend": ("x.objid, x.objid", _OWNED),
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
    "pg_index": ("x.indrelid", "x.indexrelid >= 16384"),
    "pg_sequence": ("x.seqrelid", "true"),
    "pg_partitioned_table": ("x.partrelid", "true"),
    "pg_foreign_table": ("x.ftrelid", "true"),
}
"""The same of catalogs of which no row goes away without another that is written or goes, too.

But for `pg_inherits`.
"""

_NEW = "age(x.xmin) <= (SELECT age($1))"
"""Says of a row that it was written since the transaction $1."""

_UNIT_OF_RELATION = _KEYS[RELATIONS][0].partition(", ")[2]

_MADE = f"""
WITH made AS MATERIALIZED (
  SELECT x.oid, {_UNIT_OF_RELATION} AS unit, x.reltype
  FROM pg_catalog.pg_class x WHERE {_KEYS[RELATIONS][1]} AND {_NEW}),
typed AS MATERIALIZED (
  SELECT t.oid, t.typarray FROM made m JOIN pg_catalog.pg_type t ON t.oid = m.reltype),
depending AS MATERIALIZED (
  SELECT x.objid, {_OWNED} AS owned FROM (
    SELECT 'pg_class'::regclass AS catalog, m.oid FROM made m
    UNION SELECT 'pg_type'::regclass, t.oid FROM typed t
    UNION SELECT 'pg_type'::regclass, t.typarray FROM typed t
    UNION SELECT 'pg_attrdef'::regclass, d.oid
      FROM made m JOIN pg_catalog.pg_attrdef d ON d.adrelid = m.oid
    UNION SELECT 'pg_constraint'::regclass, k.oid
      FROM made m JOIN pg_catalog.pg_constraint k ON k.conrelid = m.oid
    UNION SELECT 'pg_trigger'::regclass, g.oid
      FROM made m JOIN pg_catalog.pg_trigger g ON g.tgrelid = m.oid
    -- those of a foreign key are on the other table, too
    UNION SELECT 'pg_trigger'::regclass, g.oid
      FROM made m JOIN pg_catalog.pg_constraint k ON k.conrelid = m.oid
      JOIN pg_catalog.pg_trigger g ON g.tgconstraint = k.oid) o
  JOIN pg_catalog.pg_depend x ON x.classid = o.catalog AND x.objid = o.oid AND {_NEW})
"""
"""The relations with a new row in `pg_class`, and the new rows that say what these depend on."""

_NEAR = {
    RELATIONS: f"SELECT 'written {RELATIONS}', m.oid, m.unit, NULL FROM made m",
    COLUMNS: f"""SELECT 'near {COLUMNS}', NULL, NULL, count(*)::text
      FROM made m JOIN pg_catalog.pg_attribute x ON x.attrelid = m.oid AND {_NEW}""",
    DEPENDENCIES: f"""SELECT 'near {DEPENDENCIES}', NULL, NULL, count(*)::text FROM depending
      UNION ALL SELECT 'written {DEPENDENCIES}', d.objid, d.objid, NULL FROM depending d
      WHERE d.owned""",
    TYPES: f"""SELECT 'near {TYPES}', NULL, NULL, count(*)::text
      FROM typed t JOIN pg_catalog.pg_type x ON x.oid IN (t.oid, t.typarray)
      WHERE x.typacl IS NULL AND {_NEW}""",
}
"""By catalog, what finds the new rows that hang on new relations, and how many these are."""

_ASKED = {
    "owner": f"SELECT 'owner', ({queries.OWNER})::oid, NULL::oid, NULL::text",
    "types": f"SELECT 'types', NULL, NULL, ({TYPES_SQL})",
    **{f"near {name}": sql for name, sql in _NEAR.items()},
    **{
        f"written {name}": f"SELECT 'written {name}', {what}, NULL"
        f" FROM pg_catalog.{name} x WHERE {which} AND {_NEW}"
        for name, (what, which) in [
            *_KEYS.items(),
            *((name, (f"0, {unit}", which)) for name, (unit, which) in _PARTS.items()),
        ]
    },
    **{
        f"left {name}": f"SELECT 'left {name}', NULL, NULL, "
        f"string_agg(({what.partition(',')[0]})::text, ' ') FROM pg_catalog.{name} x WHERE {which}"
        for name, (what, which) in _KEYS.items()
    },
    **{
        f"named {name}": f"SELECT 'named {name}', NULL, NULL, string_agg(x.oid::text, ' ')"
        f" FROM unnest($2) o(oid) JOIN pg_catalog.{name} x ON x.oid = o.oid"
        for name in _KEYS
        if name != DEPENDENCIES
    },
}
"""What is asked, each with rows of its name, an oid, a relation and a text.

``written``: the rows written to a catalog. ``left``: the oids of all that is left in it, ``named``
those of $2 that are.
"""


def of_relations(now: Counts, before: Counts) -> set[str] | None:
    """Return the catalogs written to; None where that may concern more than relations."""
    changed = now.changed_since(before)
    if changed is None or now.lost("pg_inherits", before):
        return None
    return changed if changed <= _KEYS.keys() | _PARTS.keys() | {DESCRIPTIONS, TYPES} else None


@dataclass
class Keys:
    """What hangs on relations: by catalog, the oid of what does, and that of the relation.

    A relation with all that hangs on it is a unit, which has the relation's oid.
    """

    units: dict[str, dict[int, int]] = field(default_factory=lambda: {name: {} for name in _KEYS})
    _of_unit: dict[int, set[tuple[str, int]]] = field(default_factory=dict)

    def unit(self, name: str, oid: int, default: int) -> int:
        """Return the relation that what has *oid* in the catalog *name* hangs on."""
        return self.units.get(name, {}).get(oid, default)

    def add(self, name: str, oid: int, unit: int) -> None:
        """Take note of what hangs on *unit*."""
        self.remove(name, oid)
        self.units[name][oid] = unit
        self._of_unit.setdefault(unit, set()).add((name, oid))

    def remove(self, name: str, oid: int) -> int | None:
        """Forget what is gone; return what it hung on."""
        unit = self.units[name].pop(oid, None)
        if unit is not None:
            self._of_unit[unit].discard((name, oid))
            if not self._of_unit[unit]:
                del self._of_unit[unit]
        return unit

    def of(self, units: Collection[int]) -> set[tuple[str, int]]:
        """Return catalog and oid of what hangs on *units*, and on the relations that do."""
        found = {key for unit in units for key in self._of_unit.get(unit, ())}
        parts = [oid for name, oid in found if name == RELATIONS]
        return found.union(*(self._of_unit.get(unit, ()) for unit in parts))


def all_keys(connection: Connection) -> Keys:
    """Return what hangs on relations."""
    found = Keys()
    asked = "\nUNION ALL\n".join(
        f"SELECT '{name}', {what} FROM pg_catalog.{name} x WHERE {which}"
        for name, (what, which) in _KEYS.items()
    )
    for name, oid, unit in connection.exec_driver_sql(asked):
        found.add(name, oid, unit)
    return found


@dataclass
class Search:
    """Looks for what differs *now* from *before*, and brings *keys* up to date.

    *units* are the relations of which anything was written, or is gone; zero stands for what
    belongs to no relation. *types* is what `types` returns, None where nothing was written to them;
    *owner* is the usual owner.
    """

    look: Look
    settings: Statement
    now: Counts
    before: Counts
    keys: Keys
    units: set[int] = field(default_factory=set)
    types: str | None = None
    owner: int | None = None
    _gone: set[tuple[str, int, int]] = field(default_factory=set)
    _met: dict[str, int] = field(default_factory=dict)
    _came: set[int] = field(default_factory=set)
    _defaults: list[int] = field(default_factory=list)

    def run(self, named: Collection[int]) -> None:
        """Find what differs; of the relations *named*, some may be gone."""
        written = {each for each in (*_KEYS, *_PARTS) if self.now.written(each, self.before)}
        lost = {each for each in _KEYS if self.now.lost(each, self.before)}
        if self.now.marks[TYPES] != self.before.marks[TYPES]:
            written.add(TYPES)
        candidates = self.keys.of(named)
        near = self._to_look_near(written, lost)
        by_name = lost - {DEPENDENCIES} if candidates else set()
        asked = {"owner"} | {f"near {each}" for each in near & _NEAR.keys()}
        asked |= {_all_of(each) for each in written - near}
        asked |= {f"left {each}" for each in lost - by_name}
        asked |= {f"named {each}" for each in by_name}
        self._ask(asked, candidates)
        again = {_all_of(each) for each in near if not self._found_all(each)}
        again |= {f"left {each}" for each in by_name if self._count_gone(each) != self._lost(each)}
        if again:
            self._ask(again, ())

    @property
    def gone(self) -> set[int]:
        """The relations that are gone."""
        return {oid for name, oid, _ in self._gone if name == RELATIONS}

    def _to_look_near(self, written: set[str], lost: set[str]) -> set[str]:
        """Return the catalogs of which all that was written may hang on new, or gone, relations."""
        near = set()
        if RELATIONS in written:
            near = written & _NEAR.keys()
        elif DEFAULTS in lost and RELATIONS in lost:
            near = written & {COLUMNS}
        return near - {TYPES} if self._lost(TYPES) else near

    def _found_all(self, name: str) -> bool:
        """Whether no other rows can have been written to a catalog than those near by.

        The server counts every write, and each row that was found is the last of at least one.
        """
        if name == RELATIONS:
            return True
        found = self._met.get(name, 0)
        if name == COLUMNS:
            found += self._unseen
        return found == self.now.written(name, self.before)

    @property
    def _unseen(self) -> int:
        """How many more writes there were at least to columns, of relations that are new, or gone.

        To make a default, or to remove one, marks its column: StoreAttrDefault and
        RemoveAttrDefaultById in PostgreSQL's pg_attrdef.c, or heap.c. Of a new column that is the
        second write, and of one that is gone nobody sees any.
        """
        gone = self.gone
        came = [unit for unit in self._defaults if unit in self._came]
        went = [unit for name, _, unit in self._gone if name == DEFAULTS and unit in gone]
        return len(came) + len(went)

    def _lost(self, name: str) -> int:
        return self.now.lost(name, self.before)

    def _count_gone(self, name: str) -> int:
        return sum(catalog == name for catalog, *_ in self._gone)

    def _ask(self, asked: Collection[str], candidates: Collection[tuple[str, int]]) -> None:
        statement = _asking(frozenset(asked), self.settings)
        values = f"('{self.before.next}', {array(oid for _, oid in candidates)})"
        for asked_for, oid, unit, text in self.look.rows(statement, values):
            what, _, name = asked_for.partition(" ")
            if what == "owner":
                self.owner = oid
            elif what == "types":
                self.types = text
            elif what == "near":
                self._met[name] = int(text)
            elif what == "written":
                self._take(name, oid, unit)
            else:
                known = set(self.keys.units[name])
                if what == "named":
                    known &= {oid for catalog, oid in candidates if catalog == name}
                self._forget(name, known - set(map(int, (text or "").split())))

    def _take(self, name: str, oid: int, unit: int) -> None:
        """Take note of a row that was written."""
        self.units.add(unit)
        if name == RELATIONS and oid not in self.keys.units[name]:
            self._came.add(oid)
        if name == DEFAULTS:
            self._defaults.append(unit)
        if oid:
            self.keys.add(name, oid, unit)

    def _forget(self, name: str, gone: Iterable[int]) -> None:
        for oid in gone:
            unit = self.keys.remove(name, oid)
            if unit is not None:
                self.units.add(unit)
                self._gone.add((name, oid, unit))


@cache
def _asking(asked: frozenset[str], settings: Statement) -> Statement:
    """Return what asks for no more: to get ready to look into all takes as long as to do it."""
    parts = {name: sql for name, sql in _ASKED.items() if name in asked}
    which = sum(1 << place for place, name in enumerate(_ASKED) if name in parts)
    made = _MADE if any(name.startswith("near ") for name in parts) else ""
    sql = made + "\nUNION ALL\n".join(parts.values())
    return Statement(f"changes_{which:x}", sql, "(xid, oid[])", settings)


def _all_of(name: str) -> str:
    """Return what reads all of a catalog."""
    return "types" if name == TYPES else f"written {name}"


def array(oids: Iterable[int]) -> str:
    """Return *oids* as SQL."""
    return f"'{{{', '.join(map(str, oids))}}}'::oid[]"
