"""PostgreSQL's catalog as a snapshot, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from topchef_schema.backends.postgresql_connection import passing_transaction

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.model import Snapshot


def snapshot(connection: Connection, exclude: Collection[str]) -> Snapshot:
    """Return the canonical schema of the database behind *connection*.

    What the usual owner owns is not said to be owned; in grants and policies that role is called
    OWNER. So equal schemas of two owners are equal. Grants and settings of roles and of the
    database itself belong to the server, not to the schema.
    """
    from sqlalchemy import text

    from topchef_schema.backends import postgresql_queries as queries
    from topchef_schema.backends.postgresql_rare import RARE
    from topchef_schema.model import Snapshot

    objects: dict[str, str] = {}
    places: dict[tuple[str, int, int], str] = {}
    with passing_transaction(connection):
        owner = connection.execute(text(queries.PREPARE)).first()
        spelling = words(connection, 0 if owner is None else owner[0])
        for query in (
            queries.RELATIONS,
            queries.COLUMNS,
            queries.CONSTRAINTS,
            queries.ATTACHED,
            queries.TYPES,
            queries.FUNCTIONS,
            RARE,
        ):
            for row in connection.execute(text(query.format_map(spelling))):
                catalog, oid, sub, kind, name, table, stranger, definition = row
                if table in exclude:
                    continue
                key = places[catalog, oid, sub] = f"{kind} {name}"
                if definition is not None:
                    objects[key] = definition
                if stranger is not None:
                    objects[f"owner {key}"] = stranger
        for catalog, oid, sub, what, wording in connection.execute(
            text(queries.DETAILS.format_map(spelling))
        ):
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
