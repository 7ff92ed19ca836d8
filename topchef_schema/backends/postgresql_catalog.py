"""PostgreSQL's catalog as a snapshot, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topchef_schema.backends import postgresql_queries as queries
from topchef_schema.backends.postgresql_connection import passing_transaction
from topchef_schema.backends.postgresql_rare import RARE

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.model import Snapshot

Address = tuple[str, int, int]
"""Catalog, oid and sub-number of an object, in PostgreSQL's own terms."""

Details = dict[Address, list[tuple[str, str]]]
"""What is said of an object: ``comment`` or ``grants``, and its text."""


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


@dataclass(frozen=True, slots=True)
class Row:
    """An object as the queries give it; *table* is what it hangs on."""

    address: Address
    key: str
    table: str | None
    stranger: str | None
    definition: str | None


def prepared(connection: Connection) -> int | None:
    """Set what texts depend on until the end of the transaction; return the usual owner."""
    from sqlalchemy import text

    owner: int | None = connection.execute(text(queries.PREPARE)).scalar()
    return owner


def read(
    connection: Connection,
    spelling: Mapping[str, object],
    which: Sequence[str] = (*queries.OF_RELATIONS, queries.TYPES, queries.FUNCTIONS, RARE),
) -> Iterator[Row]:
    """Yield the rows of the queries *which*."""
    from sqlalchemy import text

    for query in which:
        yield from rows(connection.execute(text(query.format_map(spelling))).all())


def rows(found: Iterable[Any]) -> Iterator[Row]:
    """Yield what one of the queries has *found*."""
    for name, oid, sub, kind, key, table, stranger, said in found:
        yield Row((name, oid, sub), f"{kind} {key}", table, stranger, said)


def said(connection: Connection, spelling: Mapping[str, object]) -> Iterable[Any]:
    """Return what the query for `details` gives."""
    from sqlalchemy import text

    return connection.execute(text(queries.DETAILS.format_map(spelling)))


def details(found: Iterable[Any]) -> Details:
    """Return the comments on all objects, and the grants, of which a query has *found* each."""
    said: Details = {}
    for name, oid, sub, what, wording in found:
        said.setdefault((name, oid, sub), []).append((what, wording))
    return said


def put_together(rows: Iterable[Row], said: Details, exclude: Collection[str]) -> dict[str, str]:
    """Return the objects that *rows* are, with what is *said* of them."""
    objects: dict[str, str] = {}
    for row in rows:
        if row.table in exclude:
            continue
        if row.definition is not None:
            objects[row.key] = row.definition
        if row.stranger is not None:
            objects[f"owner {row.key}"] = row.stranger
        for what, wording in said.get(row.address, ()):
            objects[f"{what} {row.key}"] = wording
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
        "these": "c.oid >= 16384",
        "compression": "CASE WHEN a.attcompression <> '' THEN 'compression '"
        " || a.attcompression::text END"
        if version >= (14,)
        else "NULL",
        "trigger_parent": "t.tgparentid" if version >= (13,) else "0",
        "statistics_target": "s.stxstattarget" if version >= (13,) else "-1",
        # What PUBLIC may do in the schema `public` of a new database.
        "public_grants": "makeaclitem(0, n.nspowner, 'USAGE', false)"
        + ("" if version >= (15,) else " || makeaclitem(0, n.nspowner, 'CREATE', false)"),
        "publication_members": members.format(details, schemas)
        if version >= (15,)
        else members.format("NULL", ""),
    }
