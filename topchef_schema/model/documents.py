"""What a project offers whose resources have documents beside their rows, and how the two disagree.

A project that has such resources names a `Documented` in the setting ``documents``. These are
protocols: its classes need not know ours. The row is what is right unless somebody says otherwise;
the document is a copy of a part of it, in a store of its own, under the row's UUID.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from topchef_schema.model.json_difference import differences, shown

if TYPE_CHECKING:
    from sqlalchemy import Connection


class DocumentStore(Protocol):
    """The documents of one resource, each under its UUID. Whatever is put there comes back equal.

    Every method raises `UnreachableError` where the store cannot be reached or was never made.
    """

    @property
    def label(self) -> str:
        """Where it is, without a secret, and what it is called there."""

    def get(self, key: UUID) -> Any:
        """Return the document of *key*; raises `NoDocumentError`, a `KeyError`."""

    def get_many(self, keys: Collection[UUID]) -> Mapping[UUID, Any]:
        """Return the documents of those of *keys* that have one, in one question."""

    def put(self, key: UUID, document: Any) -> None:
        """Store *document* for *key*, whether or not there is one; it is there when this returns.

        Raises `ValueError` for a document that the store cannot hold; the old one stays then.
        """

    def delete(self, key: UUID) -> None:
        """Remove the document of *key*, if there is one."""

    def keys(self) -> Iterator[UUID]:
        """Yield the UUIDs that have a document, each once, in any order, a few at a time."""


class DocumentStores(Protocol):
    """A place that holds a `DocumentStore` for each resource."""

    @property
    def label(self) -> str:
        """Where it is, without a secret."""

    def __getitem__(self, resource: str) -> DocumentStore:
        """Return the store for the documents of *resource*."""

    def close(self) -> None:
        """Give back what was opened."""


class DocumentedResource(Protocol):
    """A table whose rows have documents. What is read is what was committed."""

    @property
    def name(self) -> str:
        """What it is called in reports and in the store."""

    def count(self, connection: Connection) -> int:
        """Return the number of rows."""

    def page(
        self, connection: Connection, after: UUID | None, size: int
    ) -> Sequence[tuple[UUID, Any]]:
        """Return the next *size* keys after *after*, in any order that stays the same.

        With each comes the document that its row says there should be.
        """

    def rows(self, connection: Connection, keys: Collection[UUID]) -> Mapping[UUID, Any]:
        """Return, for those of *keys* that have a row, the document that there should be."""

    def present(self, connection: Connection, keys: Collection[UUID]) -> Collection[UUID]:
        """Return those of *keys* that have a row, without reading more of it."""


class Documented(Protocol):
    """What the setting ``documents`` names."""

    @property
    def resources(self) -> Sequence[DocumentedResource]:
        """The tables whose rows have documents."""

    def open(self, url: str) -> DocumentStores:
        """Open the stores at *url*, without making anything.

        Raises `UsageError` for a URL that is of no store.
        """


class Disagree(StrEnum):
    """How a row and its document can disagree; the words are the rules of findings."""

    MISSING = "document-missing"
    """There is a row, and no document."""

    EXTRA = "document-extra"
    """There is a document, and no row."""

    DIFFERENT = "document-different"
    """The document is not what the row says."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One place where a row and its document disagree.

    *path* is that place in the document; *row* and *document* are what the one says and the other
    has there, as JSON, None where it has nothing.
    """

    kind: Disagree
    resource: str
    key: UUID
    store: str
    path: str = "$"
    row: str | None = None
    document: str | None = None

    def __str__(self) -> str:
        """Say it in a sentence that names resource, store and place."""
        what = f"{self.resource} {self.key}"
        if self.kind is Disagree.MISSING:
            return f"{what} has no document in {self.store}"
        if self.kind is Disagree.EXTRA:
            return f"{what} has a document in {self.store}, and no row"
        return f"{what} differs at {self.path} from its document in {self.store}"


def disagreements(
    resource: str,
    key: UUID,
    store: str,
    rows: Mapping[UUID, Any],
    documents: Mapping[UUID, Any],
) -> tuple[Disagreement, ...]:
    """Compare what the rows say of *key* with the document that is there; () where they agree."""
    if key not in rows and key not in documents:
        return ()
    if key not in documents:
        found = shown(rows[key])
        return (Disagreement(Disagree.MISSING, resource, key, store, row=found),)
    if key not in rows:
        found = shown(documents[key])
        return (Disagreement(Disagree.EXTRA, resource, key, store, document=found),)
    return tuple(
        Disagreement(Disagree.DIFFERENT, resource, key, store, each.path, each.one, each.other)
        for each in differences(rows[key], documents[key])
    )
