"""PostgreSQL's catalog as a snapshot, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from topchef_schema import collecting
from topchef_schema.backends import postgresql_queries as queries
from topchef_schema.backends.driver_rows import AT_ONCE, taken
from topchef_schema.backends.postgresql_connection import passing_transaction
from topchef_schema.backends.postgresql_rare import RARE
from topchef_schema.backends.postgresql_spelling import as_read_again

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.model import Snapshot

Address = tuple[str, int, int]
"""Catalog, oid and sub-number of an object, in PostgreSQL's own terms."""

Details = dict[Address, list[tuple[str, str]]]
"""What is said of an object: ``comment`` or ``grants``, and its text."""


@collecting.paused()
def snapshot(connection: Connection, exclude: Collection[str]) -> Snapshot:
    """Return the canonical schema of the database behind *connection*.

    What the usual owner owns is not said to be owned; in grants and policies that role is called
    OWNER. So equal schemas of two owners are equal. Grants and settings of roles and of the
    database itself belong to the server, not to the schema.
    """
    from topchef_schema.model import Snapshot

    with passing_transaction(connection):
        owner = prepared(connection)
        spelling = words(connection, owner or 0)
        found = list(read(connection, spelling))
        return Snapshot(put_together(found, details(said(connection, spelling)), exclude))


class Row(NamedTuple):
    """An object as the queries give it; *table* is what it hangs on."""

    catalog: str
    oid: int
    sub: int
    kind: str
    name: str
    table: str | None
    stranger: str | None
    definition: str | None

    @property
    def address(self) -> Address:
        """Where it stands in the server's catalog."""
        return self[:3]

    @property
    def key(self) -> str:
        """What it is called in a snapshot."""
        return f"{self.kind} {self.name}"


def prepared(connection: Connection) -> int | None:
    """Set what texts depend on until the end of the transaction; return the usual owner."""
    from sqlalchemy import text

    owner: int | None = connection.execute(text(queries.PREPARE)).scalar()
    return owner


def read(connection: Connection, spelling: Mapping[str, object]) -> Iterator[Any]:
    """Yield what all queries for objects give, as of `Row`."""
    for query in (*queries.OF_RELATIONS, queries.TYPES, queries.FUNCTIONS, RARE):
        yield from _asked(connection, query.format_map(spelling))


def said(connection: Connection, spelling: Mapping[str, object]) -> Iterable[Any]:
    """Return what the query for `details` gives."""
    return _asked(connection, queries.DETAILS.format_map(spelling))


def _asked(connection: Connection, query: str) -> Sequence[Any]:
    from sqlalchemy import text

    return taken(connection.execute(text(query), execution_options=AT_ONCE))


def details(found: Iterable[Any]) -> Details:
    """Return the comments on all objects, and the grants, of which a query has *found* each."""
    said: Details = {}
    for name, oid, sub, what, wording in found:
        said.setdefault((name, oid, sub), []).append((what, wording))
    return said


def put_together(rows: Iterable[Any], said: Details, exclude: Collection[str]) -> dict[str, str]:
    """Return the objects that *rows* are, as of `Row`, with what is *said* of them."""
    objects: dict[str, str] = {}
    for catalog, oid, sub, kind, name, table, stranger, definition in rows:
        if table in exclude:
            continue
        key = f"{kind} {name}"
        if definition is not None:
            objects[key] = as_read_again(definition)
        if stranger is not None:
            objects[f"owner {key}"] = stranger
        for what, wording in said.get((catalog, oid, sub), ()):
            objects[f"{what} {key}"] = wording
    return objects


def words(connection: Connection, owner: int) -> Mapping[str, object]:
    """Return what differs between the versions of the server, and the usual owner."""
    version = connection.dialect.server_version_info or (0,)
    members = """(SELECT string_agg(concat_ws(' ', r.prrelid::regclass, {0}), ', '
      ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r WHERE r.prpubid = x.oid){1}"""
    schemas = """, (SELECT string_agg('schema ' || n.nspname, ', ' ORDER BY n.nspname)
      FROM pg_publication_namespace s JOIN pg_namespace n ON n.oid = s.pnnspid
      WHERE s.pnpubid = x.oid)"""
    details = "r.prattrs::text, pg_get_expr(r.prqual, r.prrelid)"
    return {
        "owner": owner,
        "these": queries.ALL_RELATIONS,
        "compression": "CASE WHEN a.attcompression <> '' THEN 'compression '"
        " || a.attcompression::text END"
        if version >= (14,)
        else "NULL",
        "trigger_parent": "t.tgparentid" if version >= (13,) else "0",
        "only_distinct_nulls": "NOT i.indnullsnotdistinct" if version >= (15,) else "true",
        "statistics_target": "s.stxstattarget" if version >= (13,) else "-1",
        # What PUBLIC may do in the schema `public` of a new database.
        "public_grants": "makeaclitem(0, n.nspowner, 'USAGE', false)"
        + ("" if version >= (15,) else " || makeaclitem(0, n.nspowner, 'CREATE', false)"),
        "publication_members": members.format(details, schemas)
        if version >= (15,)
        else members.format("NULL", ""),
    }
