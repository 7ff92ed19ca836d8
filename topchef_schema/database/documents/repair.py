"""Making a row and its document agree, by the side that somebody says is right."""

from __future__ import annotations

import uuid
from enum import StrEnum

from topchef_schema.database.documents.document_session import DocumentSession
from topchef_schema.database.documents.resource import Resource
from topchef_schema.model.documents import Disagree, Disagreement, DocumentStore, disagreements


class Right(StrEnum):
    """Which side is right where a row and its document disagree."""

    ROW = "row"
    """The document is put as the row says; one without a row is deleted."""

    DOCUMENT = "document"
    """The row gets what the document says; there must be both."""


def repair(
    session: DocumentSession, resource: Resource, key: uuid.UUID, right: Right | str
) -> tuple[Disagreement, ...]:
    """Make the row of *key* and its document agree, commit, and return what disagreed.

    Raises `ValueError` in a session with changes that are not committed yet, and where the side
    that is right cannot say what the other should be; nothing has changed then.
    """
    chosen = Right(right)
    if session.has_changes():
        raise ValueError("this session has changes of its own: commit or roll back first")
    store = session.store_of(resource)
    try:
        rows = resource.locked(session.connection(), [key])
        documents = store.get_many([key])
        wrong = disagreements(resource.name, key, store.label, rows, documents)
        if wrong and chosen is Right.DOCUMENT:
            _require_both(wrong[0])
            resource.rewrite(session.connection(), key, documents[key])
        elif wrong:
            _write(store, key, rows.get(key), kind=wrong[0].kind)
    except BaseException:
        session.rollback()
        raise
    session.commit()
    session.expire_all()  # also where expire_on_commit is off, its objects are not what is stored
    return wrong


def _write(store: DocumentStore, key: uuid.UUID, document: object, *, kind: Disagree) -> None:
    if kind is Disagree.EXTRA:
        store.delete(key)
    else:
        store.put(key, document)


def _require_both(wrong: Disagreement) -> None:
    if wrong.kind is Disagree.EXTRA:
        raise ValueError(f"{wrong}: a row has more than its document, and cannot be made from it")
    if wrong.kind is Disagree.MISSING:
        raise ValueError(f"{wrong}: if that is right, delete the row")
