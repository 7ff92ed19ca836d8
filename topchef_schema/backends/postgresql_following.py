"""Snapshots of one PostgreSQL database again and again, where little changes in between.

Every row of the catalog tells by which transaction it was written (``xmin``). So of each relation
it is known by two numbers, of rows and of the newest transaction, whether anything of it was added,
changed or removed, and only such relations are read again, by the queries that read them all.
What others may print in their texts, a name or a type, leads to reading everything.

Exact only while nobody else writes, and between transactions: two snapshots within one would not
tell its rows apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from topchef_schema.backends import postgresql_catalog as catalog
from topchef_schema.backends import postgresql_queries as queries
from topchef_schema.backends.postgresql_catalog import Row
from topchef_schema.backends.postgresql_connection import passing_transaction

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.model import Snapshot

Stamp = tuple[int, int]
"""How many rows there are, and the newest transaction that wrote one."""

OTHERS = 0
"""Stands for all that belongs to no relation."""

_PARTS = """
SELECT 'pg_constraint', k.oid, k.conrelid FROM pg_constraint k WHERE k.conrelid {only}
UNION ALL
SELECT 'pg_class', i.indexrelid, i.indrelid FROM pg_index i WHERE i.indrelid {only}
UNION ALL
SELECT 'pg_trigger', t.oid, t.tgrelid FROM pg_trigger t WHERE t.tgrelid {only}
UNION ALL
SELECT 'pg_rewrite', r.oid, r.ev_class FROM pg_rewrite r WHERE r.ev_class {only}
UNION ALL
SELECT 'pg_policy', p.oid, p.polrelid FROM pg_policy p WHERE p.polrelid {only}
UNION ALL
SELECT 'pg_statistic_ext', s.oid, s.stxrelid FROM pg_statistic_ext s WHERE s.stxrelid {only}
"""
"""What hangs on relations: where it lies, and on which."""

_OF_RELATIONS = (
    # catalog, the relation that a row belongs to, how a row of an index comes to its table
    "pg_class x LEFT JOIN pg_index i ON i.indexrelid = x.oid"
    " LEFT JOIN pg_class p ON x.relkind = 't' AND p.reltoastrelid = x.oid|"
    "coalesce(i.indrelid, p.oid, x.oid)|x.oid",
    "pg_attribute x LEFT JOIN pg_index i ON i.indexrelid = x.attrelid|"
    "coalesce(i.indrelid, x.attrelid)|x.attrelid",
    "pg_inherits x LEFT JOIN pg_index i ON i.indexrelid = x.inhrelid|"
    "coalesce(i.indrelid, x.inhrelid)|x.inhrelid",
    "pg_attrdef x|x.adrelid|x.adrelid",
    "pg_constraint x|x.conrelid|x.conrelid",
    "pg_index x|x.indrelid|x.indrelid",
    "pg_trigger x|x.tgrelid|x.tgrelid",
    "pg_rewrite x|x.ev_class|x.ev_class",
    "pg_policy x|x.polrelid|x.polrelid",
    "pg_statistic_ext x|x.stxrelid|x.stxrelid",
    "pg_sequence x|x.seqrelid|x.seqrelid",
    "pg_partitioned_table x|x.partrelid|x.partrelid",
    "pg_foreign_table x|x.ftrelid|x.ftrelid",
    "(SELECT d.xmin, d.objid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
    " AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')"
    " AND d.refobjsubid > 0) x|x.objid|x.objid",
)

_OF_ALL = (
    "pg_namespace x WHERE true",
    "pg_type x LEFT JOIN pg_type e ON e.oid = x.typelem AND e.typarray = x.oid"
    " WHERE x.oid >= 16384 AND x.typrelid = 0 AND coalesce(e.typrelid, 0) = 0",
    "pg_enum x WHERE true",
    "pg_range x WHERE x.rngtypid >= 16384",
    "pg_constraint x WHERE x.contypid <> 0 AND x.oid >= 16384",
    "pg_proc x WHERE x.oid >= 16384",
    "pg_aggregate x WHERE x.aggfnoid::oid >= 16384",
    "pg_amop x WHERE x.oid >= 16384",
    "pg_amproc x WHERE x.oid >= 16384",
    "pg_ts_config_map x WHERE x.mapcfg >= 16384",
    *(
        f"{name} x WHERE x.oid >= 16384"
        for name in (
            "pg_am",
            "pg_cast",
            "pg_collation",
            "pg_conversion",
            "pg_event_trigger",
            "pg_extension",
            "pg_foreign_data_wrapper",
            "pg_foreign_server",
            "pg_language",
            "pg_opclass",
            "pg_operator",
            "pg_opfamily",
            "pg_transform",
            "pg_ts_config",
            "pg_ts_dict",
            "pg_ts_parser",
            "pg_ts_template",
        )
    ),
    *(f"{name} x WHERE true" for name in ("pg_default_acl", "pg_publication", "pg_tablespace")),
    "pg_publication_rel x WHERE true",
    "pg_db_role_setting x WHERE true",
)

_WITHOUT_XMIN = """
SELECT 'roles', count(*), sum(hashtext(concat(r.oid, r.rolname))) FROM pg_roles r
UNION ALL
SELECT 'mappings', count(*), sum(hashtext(m::text)) FROM pg_user_mappings m
UNION ALL
SELECT 'bodies', count(*), 0 FROM pg_proc p WHERE p.oid >= 16384
  AND (to_jsonb(p) ->> 'prosqlbody') IS NOT NULL
"""

_STAMPS = "\nUNION ALL\n".join(
    f"SELECT {unit} AS unit, x.xmin FROM {source} WHERE {own} >= 16384"
    for source, unit, own in (each.split("|") for each in _OF_RELATIONS)
)
UNITS = f"SELECT unit, count(*), max(xmin::text::bigint) FROM ({_STAMPS}) s GROUP BY unit"
REST = (
    "\nUNION ALL\n".join(
        f"SELECT '{number}', count(*), max(x.xmin::text::bigint) FROM {each}"
        for number, each in enumerate(_OF_ALL)
    )
    + f"\nUNION ALL{_WITHOUT_XMIN}"
)
COMMENTS = "SELECT count(*), max(xmin::text::bigint) FROM pg_description WHERE objoid >= 16384"
PUBLISHED_SCHEMAS = "SELECT count(*), max(xmin::text::bigint) FROM pg_publication_namespace"


@dataclass
class Following:
    """The schema of one database as it was last seen; see `Backend.following`."""

    exclude: Collection[str]
    _units: dict[int, Stamp] = field(default_factory=dict)
    _rest: dict[str, Any] = field(default_factory=dict)
    _comments: Any = None
    _rows: dict[int, list[Row]] = field(default_factory=dict)
    _last: Snapshot | None = None

    def snapshot(self, connection: Connection) -> Snapshot:
        """Return the schema as it is now, as a whole snapshot would give it."""
        from sqlalchemy import text

        with passing_transaction(connection):
            owner = catalog.prepared(connection)
            words = catalog.words(connection, owner or 0)
            units = {row[0]: (row[1], row[2]) for row in connection.execute(text(UNITS))}
            rest = {"owner": owner, **_rest(connection)}
            comments = tuple(connection.execute(text(COMMENTS)).one())
            changed = {each for each, stamp in units.items() if self._units.get(each) != stamp}
            gone = self._units.keys() - units.keys()
            if self._last is not None and rest == self._rest:
                if not changed and not gone and comments == self._comments:
                    return self._last
                whole = not self._read_again(connection, words, changed, gone)
            else:
                whole = True
            if whole:
                self._rows = _by_unit(catalog.read(connection, words), _parts(connection, None))
            self._units, self._rest, self._comments = units, rest, comments
            rows = chain.from_iterable(self._rows.values())
            self._last = catalog.put_together(connection, words, rows, self.exclude)
        return self._last

    def _read_again(
        self,
        connection: Connection,
        words: Mapping[str, object],
        changed: set[int],
        gone: Collection[int],
    ) -> bool:
        """Read the relations that *changed*; false where others may have to be read, too."""
        if self._rest["bodies"][0]:
            return False
        readers = {unit for unit, rows in self._rows.items() if unit and _reads_others(rows)}
        again = sorted((changed | readers) - set(gone))
        before = {row.address: row.key for each in again for row in self._rows.get(each, ())}
        parts = _parts(connection, again)
        only = _array([*again, *(oid for _, oid in parts)])
        where = f"WHERE q.oid = ANY ({only})"
        rows = catalog.read(connection, words, queries.OF_RELATIONS, where)
        found = _by_unit(rows, parts)
        for row in (row for rows in found.values() for row in rows):
            if before.get(row.address, row.key) != row.key:
                return False  # a new name, which the texts of others may hold
        for each in (*again, *gone):
            self._rows.pop(each, None)
        self._rows |= found
        return True


def _rest(connection: Connection) -> dict[str, Stamp]:
    """Return the stamps of all that belongs to no relation."""
    from sqlalchemy import text

    found = {name: (count, newest) for name, count, newest in connection.execute(text(REST))}
    if (connection.dialect.server_version_info or (0,)) >= (15,):
        count, newest = connection.execute(text(PUBLISHED_SCHEMAS)).one()
        found["published schemas"] = count, newest
    return found


def _parts(connection: Connection, units: Collection[int] | None) -> dict[tuple[str, int], int]:
    """Return what hangs on *units* (None: on all): catalog and oid to the relation's oid."""
    from sqlalchemy import text

    only = "<> 0" if units is None else f"= ANY ({_array(units)})"
    found = connection.execute(text(_PARTS.format(only=only)))
    return {(catalog, oid): unit for catalog, oid, unit in found}


def _by_unit(rows: Iterable[Row], parts: Mapping[tuple[str, int], int]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        catalog, oid, _ = row.address
        own = catalog in ("pg_class", "column-order", "disabled")
        unit = parts.get((catalog, oid), oid if own else OTHERS)
        found.setdefault(unit, []).append(row)
    return found


def _reads_others(rows: Iterable[Row]) -> bool:
    """Whether a relation's text is made of the columns of others."""
    return any(row.key.startswith(("view ", "materialized-view ", "rule ")) for row in rows)


def _array(oids: Iterable[int]) -> str:
    return f"'{{{', '.join(map(str, oids))}}}'::oid[]"
