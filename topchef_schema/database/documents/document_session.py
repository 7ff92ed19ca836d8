"""A session in which saving and deleting objects keeps their documents in step with their rows.

The order, for one transaction:

1. the rows are written, which locks them, so that nobody else saves the same ones meanwhile;
2. the documents of new and changed rows are put;
3. the transaction is committed;
4. the documents of deleted rows are deleted.

So every row that was committed has its document, and a process that dies between two of the steps
leaves a document that is extra or different, never a row without one: the row is right then, and
the check names it. A commit that fails after step 2 leaves the same.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from topchef_schema.database.documents.disagreement import require_agreement
from topchef_schema.database.documents.resource import Resource
from topchef_schema.model.documents import DocumentStore, DocumentStores, disagreements

if TYPE_CHECKING:
    from topchef_schema.database.models import AbstractDatabaseModel

log = logging.getLogger(__name__)

BATCH = 200
"""How many rows and documents are looked at together."""

LOOKS = 5
"""How often a row and its document are looked at before they are said to disagree."""

SECONDS_BETWEEN_LOOKS = 0.25


@dataclass
class _Work:
    """What one transaction has done so far."""

    saved: dict[AbstractDatabaseModel, bool] = field(default_factory=dict)
    """What was written, and whether its row is new."""

    deleted: list[AbstractDatabaseModel] = field(default_factory=list)
    gone: list[tuple[Resource, uuid.UUID]] = field(default_factory=list)
    """What is deleted once it is committed."""

    put: list[str] = field(default_factory=list)
    committed: bool = False


class DocumentSession(Session):
    """A SQLAlchemy session that also writes to *documents*, the stores of its models' documents.

    Use it as any other: ``sessionmaker(engine, class_=DocumentSession, documents=stores)``. What
    goes around its objects, as an UPDATE of many rows does, is not seen here, and is found by
    ``topchef-db documents``.

    Nothing is repaired on the way. Saving raises `DocumentDisagreementError` where the document
    of a changed row was not what the row said before, or where a new row has one already; the
    transaction can only be rolled back then.
    """

    def __init__(self, *args: Any, documents: DocumentStores, **kwargs: Any) -> None:
        """Take *documents* beside what every session of SQLAlchemy takes."""
        super().__init__(*args, **kwargs)
        self.documents = documents
        self._work = _Work()

    def store_of(self, resource: Resource) -> DocumentStore:
        """Return the store that holds the documents of *resource*."""
        return self.documents[resource.name]

    def has_saved(self, thing: AbstractDatabaseModel) -> bool:
        """Whether this transaction has written the row of *thing*, and not its document yet."""
        return thing in self._work.saved

    def has_changes(self) -> bool:
        """Whether anything was changed here that is not committed yet."""
        return bool(
            self.new or self.dirty or self.deleted or self._work.saved or self._work.deleted
        )

    def require_documents(self, resource: Resource, key: uuid.UUID) -> None:
        """Raise `DocumentDisagreementError` unless the row of *key* and its document agree.

        Somebody may be between the two writes, or have saved since this transaction took its
        snapshot: what seems to disagree is looked at again outside of it.
        """
        store = self.store_of(resource)
        connection = self._connection(resource)
        rows = resource.rows(connection, [key])
        for look in range(LOOKS):
            if look:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                with connection.engine.connect() as another:
                    rows = resource.rows(another, [key])
            wrong = disagreements(resource.name, key, store.label, rows, store.get_many([key]))
            if not wrong:
                return
        require_agreement(wrong)

    def _connection(self, resource: Resource) -> sa.Connection:
        """Return the connection of this transaction to the rows of *resource*."""
        return self.connection(bind_arguments={"clause": resource.key.table})

    def _lock_changed(self) -> None:
        """Before the flush: lock the rows whose documents change, and see that these agree."""
        changed = [
            each
            for each in self.dirty
            if _documented(each) and each not in self._work.saved and _has_changes(each)
        ]
        for resource, keys in _batches(changed):
            with self.no_autoflush:
                rows = resource.locked(self._connection(resource), keys)
            store = self.store_of(resource)
            # One that has no row any more is refused by the flush itself.
            _require(resource, store, rows, store.get_many(list(rows)))
        self._work.saved |= dict.fromkeys(changed, False)

    def _put_documents(self) -> None:
        """Before the commit: put what the rows now say."""
        self.flush()
        kept = [each for each in self._work.saved if sa.inspect(each).persistent]
        for resource, keys in _batches(each for each in kept if self._is_first(each)):
            store = self.store_of(resource)
            _require(resource, store, {}, store.get_many(keys))
        for resource, keys in _batches(kept):
            store = self.store_of(resource)
            for key, document in resource.locked(self._connection(resource), keys).items():
                self._work.put.append(f"{resource.name} {key}")
                store.put(key, document)
        gone = [
            each for each in self._work.deleted if sa.inspect(each).deleted and each not in kept
        ]
        self._work.gone = [(resource, key) for resource, keys in _batches(gone) for key in keys]

    def _is_first(self, thing: AbstractDatabaseModel) -> bool:
        """Whether the row is new, and none that this transaction has deleted had its UUID."""
        return self._work.saved[thing] and thing not in self._work.deleted

    def _delete_documents(self) -> None:
        """After the commit: delete the documents of the rows that are gone."""
        for resource, key in self._work.gone:
            self.store_of(resource).delete(key)

    def _tell_what_was_put(self) -> None:
        """After a rollback: what was put for it is not taken back, others may have saved since."""
        if self._work.put:
            log.warning(
                "rolled back after the documents were written: %s; compare them with their rows",
                ", ".join(self._work.put),
            )


@event.listens_for(DocumentSession, "before_flush")
def _before_flush(session: DocumentSession, context: Any, instances: Any) -> None:
    session._lock_changed()


@event.listens_for(DocumentSession, "pending_to_persistent")
def _inserted(session: DocumentSession, instance: Any) -> None:
    if _documented(instance):
        session._work.saved[instance] = True


@event.listens_for(DocumentSession, "persistent_to_deleted")
def _deleted(session: DocumentSession, instance: Any) -> None:
    if _documented(instance):
        session._work.deleted.append(instance)


@event.listens_for(DocumentSession, "before_commit")
def _before_commit(session: DocumentSession) -> None:
    if not session.in_nested_transaction():
        session._put_documents()


@event.listens_for(DocumentSession, "after_commit")
def _after_commit(session: DocumentSession) -> None:
    session._work.committed = not session.in_nested_transaction()


@event.listens_for(DocumentSession, "after_transaction_end")
def _after_the_end(session: DocumentSession, transaction: SessionTransaction) -> None:
    if transaction.parent is not None:
        return
    try:
        if session._work.committed:
            session._delete_documents()
        else:
            session._tell_what_was_put()
    finally:
        session._work = _Work()


def _require(
    resource: Resource,
    store: DocumentStore,
    rows: Mapping[uuid.UUID, Any],
    found: Mapping[uuid.UUID, Any],
) -> None:
    """Raise `DocumentDisagreementError` for the first of *rows* and *found* that disagrees."""
    for key in {**rows, **found}:
        require_agreement(disagreements(resource.name, key, store.label, rows, found))


def _documented(instance: Any) -> bool:
    return bool(getattr(type(instance), "documents", ()))


def _has_changes(thing: AbstractDatabaseModel) -> bool:
    """Whether one of the attributes that are in the document has been set."""
    state = sa.inspect(thing)
    return any(state.attrs[name].history.has_changes() for name in thing.documents)


def _batches(
    things: Iterable[AbstractDatabaseModel],
) -> Iterator[tuple[Resource, list[uuid.UUID]]]:
    """Yield the UUIDs of *things*, resource by resource, a bounded number at a time."""
    keys: dict[type[AbstractDatabaseModel], list[uuid.UUID]] = {}
    for each in things:
        keys.setdefault(type(each), []).append(each._identity())
    for model, found in keys.items():
        for start in range(0, len(found), BATCH):
            yield model.resource(), found[start : start + BATCH]
