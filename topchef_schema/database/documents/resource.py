"""A table whose rows have documents: which columns are in them, and how they are read.

Made for TopChef's models, and good for any table with UUIDs as its key::

    RECIPES = Resource("recipes", recipes.c.id, {"steps": recipes.c.steps})
    DOCUMENTED = Resources(RECIPES)  # what the setting `documents` names
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from topchef_schema.database.documents.document_store import open_stores
from topchef_schema.database.documents.paging import page_of
from topchef_schema.model.documents import DocumentStores


@dataclass(frozen=True, eq=False)
class Resource:
    """The rows of one table, and the one document that each of them has.

    *key* is the column of the UUIDs. The document is an object with one member for each of
    *parts*, the value of that column; SQL NULL and the document ``null`` are both ``null`` in it,
    as both are None for whoever reads the column. See `topchef_schema.model.documents`.
    """

    name: str
    key: sa.Column[Any]
    parts: Mapping[str, sa.Column[Any]]

    def count(self, connection: sa.Connection) -> int:
        """Return the number of rows."""
        counted = sa.select(sa.func.count()).select_from(self.key.table)
        return connection.execute(counted).scalar_one()

    def page(
        self, connection: sa.Connection, after: uuid.UUID | None, size: int
    ) -> Sequence[tuple[uuid.UUID, Any]]:
        """Return the next *size* keys after *after*, each with the document it should have."""
        chosen = page_of(self._select(), self.key, after, size)
        return [self._read(row) for row in connection.execute(chosen)]

    def rows(
        self, connection: sa.Connection, keys: Collection[uuid.UUID]
    ) -> Mapping[uuid.UUID, Any]:
        """Return, for those of *keys* that have a row, the document that there should be."""
        chosen = self._select().where(self.key.in_(keys))
        return dict(self._read(row) for row in connection.execute(chosen))

    def present(
        self, connection: sa.Connection, keys: Collection[uuid.UUID]
    ) -> Collection[uuid.UUID]:
        """Return those of *keys* that have a row."""
        return set(connection.scalars(sa.select(self.key).where(self.key.in_(keys))))

    def locked(
        self, connection: sa.Connection, keys: Collection[uuid.UUID]
    ) -> Mapping[uuid.UUID, Any]:
        """Return the same as `rows`, as committed last, and let no one else change those rows.

        An update that changes nothing takes the lock on SQLite, which knows no FOR UPDATE; FOR
        UPDATE reads past the snapshot that a transaction of MySQL's may have.
        """
        these = self.key.in_(keys)
        unchanged = sa.update(self.key.table).where(these).values({self.key: self.key})
        connection.execute(unchanged)
        chosen = self._select().where(these).with_for_update()
        return dict(self._read(row) for row in connection.execute(chosen))

    def rewrite(self, connection: sa.Connection, key: uuid.UUID, document: Any) -> None:
        """Write *document* into the row of *key*; the caller commits.

        Raises `ValueError` for a document that has not exactly the parts of this resource.
        """
        if not isinstance(document, dict) or document.keys() != self.parts.keys():
            raise ValueError(
                f"the document of {self.name} {key} is no object with "
                f"{', '.join(self.parts)} and nothing else: it cannot be put into the row"
            )
        values = [(self.parts[name], value) for name, value in document.items()]
        this = self.key == key
        connection.execute(sa.update(self.key.table).where(this).values(dict(values)))

    def _select(self) -> sa.Select[Any]:
        return sa.select(self.key, *self.parts.values())

    def _read(self, row: sa.Row[Any]) -> tuple[uuid.UUID, dict[str, Any]]:
        return row[0], dict(zip(self.parts, row[1:], strict=True))


class Resources:
    """Some resources, and where their documents may be; what the setting ``documents`` names."""

    def __init__(self, *resources: Resource) -> None:
        self.resources: tuple[Resource, ...] = resources

    def open(self, url: str) -> DocumentStores:
        """Open the stores at *url*; see `open_stores`."""
        return open_stores(url)
