"""PostgreSQL's catalog as a snapshot, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.backends import postgresql_queries as queries
from topchef_schema.backends.postgresql_connection import passing_transaction
from topchef_schema.backends.postgresql_rare import RARE

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.model import Snapshot

Address = tuple[str, int, int]
"""Catalog, oid and sub-number of an object, in PostgreSQL's own terms."""


def snapshot(connection: Connection, exclude: Collection[str]) -> Snapshot:
    """Return the canonical schema of the database behind *connection*.

    What the usual owner owns is not said to be owned; in grants and policies that role is called
    OWNER. So equal schemas of two owners are equal. Grants and settings of roles and of the
    database itself belong to the server, not to the schema.
    """
    with passing_transaction(connection):
        owner = prepared(connection)
        spelling = words(connection, owner or 0)
        return put_together(connection, spelling, read(connection, spelling), exclude)


@dataclass(frozen=True, slots=True)
class Row:
    """An object as the queries give it; *table* is what it hangs on."""

    address: Address
    key: str
    table: str | None
    stranger: str | None
    definition: str | None


def prepared(connection: Connection) -> int | None:
    """Set what texts depend on, until the end of the transaction; return the usual owner."""
    from sqlalchemy import text

    owner: int | None = connection.execute(text(queries.PREPARE)).scalar()
    return owner


def read(
    connection: Connection,
    spelling: Mapping[str, object],
    which: Sequence[str] = (*queries.OF_RELATIONS, queries.TYPES, queries.FUNCTIONS, RARE),
    where: str = "",
) -> Iterator[Row]:
    """Yield the rows of the queries *which*, or those of them that a condition holds for."""
    from sqlalchemy import text

    names = "catalog, oid, sub, kind, name, hangs_on, stranger, definition"
    for query in which:
        sql = query.format_map(spelling)
        if where:
            sql = f"SELECT * FROM ({sql}) q ({names}) {where}"
        for catalog, oid, sub, kind, name, table, stranger, said in connection.execute(text(sql)):
            yield Row((catalog, oid, sub), f"{kind} {name}", table, stranger, said)


def put_together(
    connection: Connection,
    spelling: Mapping[str, object],
    rows: Iterable[Row],
    exclude: Collection[str],
) -> Snapshot:
    """Return the snapshot of *rows*, with the comments on them and the grants."""
    from sqlalchemy import text

    from topchef_schema.model import Snapshot

    objects: dict[str, str] = {}
    places: dict[Address, str] = {}
    for row in rows:
        if row.table in exclude:
            continue
        places[row.address] = row.key
        if row.definition is not None:
            objects[row.key] = row.definition
        if row.stranger is not None:
            objects[f"owner {row.key}"] = row.stranger
    details = text(queries.DETAILS.format_map(spelling))
    for catalog, oid, sub, what, wording in connection.execute(details):
        if (catalog, oid, sub) in places:
            objects[f"{what} {places[catalog, oid, sub]}"] = wording
    return Snapshot(objects)


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
