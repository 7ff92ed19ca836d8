"""Documents in one table of a SQL database: of another one than the rows, or of the same.

The table belongs to no revision, and is not made by looking: `SQLDocumentStores.create` makes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from topchef_schema.database.documents.document_store import NoDocumentError
from topchef_schema.database.documents.paging import page_of
from topchef_schema.database.json_document import encode
from topchef_schema.database.json_type import JSON
from topchef_schema.database.uuid_database_type import UUID
from topchef_schema.errors import UnreachableError
from topchef_schema.model import DOCUMENTS_TABLE

BATCH = 1000
"""How many keys are read at a time."""

ATTEMPTS = 10
"""How often a put is tried that others always come before."""

# Metadata of its own: the table is no part of a schema that revisions are generated from.
TABLE = sa.Table(
    DOCUMENTS_TABLE,
    sa.MetaData(),
    sa.Column("resource", sa.String(63), primary_key=True),
    sa.Column("id", UUID, primary_key=True),
    sa.Column("document", JSON, nullable=False),
)


class SQLDocumentStores:
    """The stores in the database of *engine*; see `topchef_schema.model.documents`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @property
    def label(self) -> str:
        """The URL of the database, without its password."""
        return self._engine.url.set(query={}).render_as_string(hide_password=True)

    def __getitem__(self, resource: str) -> SQLDocumentStore:
        """Return the store for the documents of *resource*."""
        return SQLDocumentStore(self._engine, resource, self.label)

    def create(self) -> None:
        """Make the table where it is missing; a SQLite file too."""
        TABLE.metadata.create_all(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


class SQLDocumentStore:
    """The documents of one resource. Each put and each delete is a transaction of its own."""

    def __init__(self, engine: sa.Engine, resource: str, place: str) -> None:
        self._engine = engine
        self._resource = resource
        self._place = place
        self._own = TABLE.c.resource == resource

    @property
    def label(self) -> str:
        """The database, the table, and the resource whose documents these are."""
        return f"{self._place}, table {DOCUMENTS_TABLE} ({self._resource})"

    def get(self, key: uuid.UUID) -> Any:
        """Return the document of *key*; raises `NoDocumentError`."""
        found = self.get_many([key])
        if key not in found:
            raise NoDocumentError(self.label, key)
        return found[key]

    def get_many(self, keys: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Any]:
        """Return the documents of those of *keys* that have one."""
        chosen = sa.select(TABLE.c.id, TABLE.c.document).where(self._own, TABLE.c.id.in_(keys))
        with self._begin() as connection:
            return {key: document for key, document in connection.execute(chosen)}

    def put(self, key: uuid.UUID, document: Any) -> None:
        """Store *document* for *key*; raises `JSONValueError` for what is no JSON everywhere.

        No database's own way to say "insert or update" is another's. To insert first would write
        an error into PostgreSQL's log at each update, to update first would let two inserts wait
        for each other on MySQL.
        """
        encode(document)  # refused here, SQLAlchemy would wrap it in an error of its own
        for _ in range(ATTEMPTS):
            try:
                with self._begin() as connection:
                    if self._written(connection, key, document):
                        return
            except sa.exc.IntegrityError:
                continue  # somebody inserted it since we looked
        raise UnreachableError(
            f"the document of {key} could not be written: others change it all the time",
            where=self.label,
            hint="try again",
        )

    def _written(self, connection: sa.Connection, key: uuid.UUID, document: Any) -> bool:
        this = (self._own, TABLE.c.id == key)
        if connection.scalar(sa.select(TABLE.c.resource).where(*this)) is None:
            row = {"resource": self._resource, "id": key, "document": document}
            connection.execute(TABLE.insert().values(row))
            return True
        changed = connection.execute(TABLE.update().where(*this).values(document=document))
        return changed.rowcount == 1  # 0: somebody deleted it since we looked

    def delete(self, key: uuid.UUID) -> None:
        """Remove the document of *key*, if there is one."""
        with self._begin() as connection:
            connection.execute(TABLE.delete().where(self._own, TABLE.c.id == key))

    def keys(self) -> Iterator[uuid.UUID]:
        """Yield the UUIDs that have a document, each page in a transaction of its own."""
        after: uuid.UUID | None = None
        while True:
            chosen = page_of(sa.select(TABLE.c.id).where(self._own), TABLE.c.id, after, BATCH)
            with self._begin() as connection:
                page = connection.scalars(chosen).all()
            yield from page
            if len(page) < BATCH:
                return
            after = page[-1]

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """Open a transaction; say in our words why the database refuses."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.IntegrityError:
            raise
        except sa.exc.DBAPIError as error:
            raise self._refused(error) from error

    def _refused(self, error: sa.exc.DBAPIError) -> UnreachableError:
        said = str(error.orig).strip().partition("\n")[0]
        return UnreachableError(
            f"the document store cannot be used: {said}",
            where=self.label,
            hint="is the server running, and was the table made? "
            "topchef_schema.database.documents.SQLDocumentStores.create() makes it. "
            "A SQLite file cannot hold the rows as well: only one transaction writes to it",
        )
