"""Compares the rows of a project with the documents beside them; reads both, writes neither."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar, cast

from topchef_schema import backends
from topchef_schema.backends.base import safe_label
from topchef_schema.errors import UnreachableError, UsageError
from topchef_schema.model import DatabaseUrl
from topchef_schema.model.documents import Disagree, Disagreement, disagreements
from topchef_schema.project import Project, parse_url
from topchef_schema.stages.entry import Entry, Target, require_database

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from topchef_schema.bridge.session import Session
    from topchef_schema.model.documents import (
        Documented,
        DocumentedResource,
        DocumentStore,
        DocumentStores,
    )

T = TypeVar("T")

BATCH = 200
"""How many rows, with their documents, are in memory at a time."""

SECONDS_BEFORE_SECOND_LOOK = 1.0
"""Longer than anybody is between writing a document and committing its row."""

Progress = Callable[[int, int], None]
"""Called with how much is done, and how much there is to do, in whatever unit."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One resource. *wrong* counts the documents that disagree, *disagreements* are the first."""

    resource: str
    store: str
    rows: int
    documents: int
    wrong: Mapping[Disagree, int]
    disagreements: tuple[Disagreement, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared: the database, the stores, resource by resource."""

    label: str
    backend: str
    store: str
    checked: tuple[Checked, ...]


def compare(
    project: Project, store: DatabaseUrl, *, limit: int, progress: Progress | None = None
) -> Comparison:
    """Compare all rows of the project's database with the documents at *store*.

    At most *limit* documents of a resource are told of one by one. Raises `UnreachableError`
    where the database or the store is not there; neither is made.
    """
    require_database(project)
    documented = _documented(project)
    _require_one(project)
    with closing(documented.open(_reachable(store))) as stores:

        def body(session: Session, target: Target) -> Comparison:
            # A connection of our own: what env.py opened around this is one long transaction.
            with session.connection.engine.connect() as connection:
                pending = _Pending(connection, documented, progress)
                checked = tuple(
                    _check(each, stores, pending, limit) for each in documented.resources
                )
            return Comparison(target.label, target.backend.name, stores.label, checked)

        (compared,) = Entry(project).run(body, look=True)
        return compared


def _require_one(project: Project) -> None:
    """Raise `UsageError` where env.py goes to several databases: a store is of one of them."""
    places = Entry(project).run(lambda session, target: target.label, look=True)
    if len(places) > 1:
        raise UsageError(
            "env.py migrates several databases, and documents are compared with one: "
            + ", ".join(places),
            where=project.environment.config_file,
            hint="let env.py configure the one whose rows have the documents, for example by an "
            "-x argument",
        )


def _documented(project: Project) -> Documented:
    """Return what the setting ``documents`` names."""
    from topchef_schema.bridge.configuration import load_object

    _ = project.revisions  # reading them puts the project's folder on the path
    reference = project.settings.documents
    if reference is None:
        raise UsageError(
            "this project does not say which of its resources have documents",
            where=f"{project.environment.config_file} [topchef]",
            hint="documents = module:attribute; topchef_schema.database.documents.Resources is one",
        )
    found = load_object(reference, where="setting documents")
    if not hasattr(found, "resources") or not callable(getattr(found, "open", None)):
        raise UsageError(
            f'"{reference}" is not what has documents: it needs resources and open()',
            where="setting documents",
            hint="for example: DOCUMENTED = topchef_schema.database.documents.Resources(...)",
        )
    return cast("Documented", found)


def _reachable(store: DatabaseUrl) -> str:
    """Return the URL of *store*, with an installed driver where it is one of a SQL database.

    Raises `UnreachableError` where that database is not there: connecting would make a file.
    """
    scheme = store.text.partition(":")[0].partition("+")[0]
    known = {dialect for each in backends.all_backends().values() for dialect in each.dialects}
    if scheme not in known:
        return store.text
    parsed = parse_url(store)
    backend = backends.for_url(parsed, where=store.source)
    url = backend.with_driver(parsed)
    if not backend.exists(url):
        raise UnreachableError(
            "the document store does not exist",
            where=f"{safe_label(url)} (from {store.source})",
            hint="check the name; looking makes no store",
        )
    return url.render_as_string(hide_password=False)


class _Pending:
    """The connection to the rows, and how much there is still to do."""

    def __init__(
        self, connection: Connection, documented: Documented, progress: Progress | None
    ) -> None:
        self.connection = connection
        self._progress = progress
        self._done = 0
        # Each row is looked at from its own side, and from the side of its document.
        self._total = sum(2 * each.count(connection) for each in documented.resources)
        connection.rollback()

    def did(self, number: int) -> None:
        """Count *number* rows or documents as done, and end the transaction that read them."""
        self.connection.rollback()
        self._done = min(self._done + number, self._total)
        if self._progress is not None:
            self._progress(self._done, self._total)


def _check(
    resource: DocumentedResource, stores: DocumentStores, pending: _Pending, limit: int
) -> Checked:
    started = time.perf_counter()
    store = stores[resource.name]
    suspects: set[UUID] = set()
    rows = _from_the_rows(resource, store, pending, suspects)
    documents = _from_the_documents(resource, store, pending, suspects)
    wrong: Counter[Disagree] = Counter()
    told: list[Disagreement] = []
    for places in _second_look(resource, store, pending, suspects):
        if wrong.total() < limit:
            told += places
        wrong[places[0].kind] += 1
    seconds = time.perf_counter() - started
    return Checked(resource.name, store.label, rows, documents, wrong, tuple(told), seconds)


def _from_the_rows(
    resource: DocumentedResource, store: DocumentStore, pending: _Pending, suspects: set[UUID]
) -> int:
    """Add the keys whose row has no document, or another one; return the number of rows."""
    number, after = 0, None
    while page := resource.page(pending.connection, after, BATCH):
        rows = dict(page)
        documents = store.get_many(list(rows))
        suspects |= {each for each in rows if _disagree(resource, each, store, rows, documents)}
        after = page[-1][0]
        number += len(page)
        pending.did(len(page))
    return number


def _from_the_documents(
    resource: DocumentedResource, store: DocumentStore, pending: _Pending, suspects: set[UUID]
) -> int:
    """Add the keys whose document has no row; return the number of documents."""
    number = 0
    for keys in _batches(store.keys()):
        suspects |= {*keys} - {*resource.present(pending.connection, keys)}
        number += len(keys)
        pending.did(len(keys))
    return number


def _second_look(
    resource: DocumentedResource, store: DocumentStore, pending: _Pending, suspects: set[UUID]
) -> Iterator[tuple[Disagreement, ...]]:
    """Yield what still disagrees, in the order of the keys.

    Whoever was saving or deleting at the first look was between his two writes.
    """
    if suspects:
        time.sleep(SECONDS_BEFORE_SECOND_LOOK)
    for keys in _batches(sorted(suspects)):
        rows = resource.rows(pending.connection, keys)
        documents = store.get_many(keys)
        pending.did(0)
        for key in keys:
            places = _disagree(resource, key, store, rows, documents)
            if places:
                yield places


def _disagree(
    resource: DocumentedResource,
    key: UUID,
    store: DocumentStore,
    rows: Mapping[UUID, object],
    documents: Mapping[UUID, object],
) -> tuple[Disagreement, ...]:
    return disagreements(resource.name, key, store.label, rows, documents)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
