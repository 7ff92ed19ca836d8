"""What the tests of documents beside rows share: a database of rows, stores beside it, the check.

As a program it is the other process, which dies of SIGKILL at one point of what it does: it reads
``ACT POINT ROWS DOCUMENTS KEY`` from its standard input, because a URL holds a password.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from topchef_schema.database.documents import (
    DocumentSession,
    DocumentStore,
    DocumentStores,
    SQLDocumentStores,
)
from topchef_schema.database.models import Job, Service
from topchef_schema.model.documents import Disagreement, disagreements

POINTS = ("before put", "after put", "before delete", "after delete")
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}


@dataclass(frozen=True)
class Kitchen:
    """Rows in one database, their documents in another."""

    engine: sa.Engine
    stores: DocumentStores

    def session(self) -> DocumentSession:
        """Open a session; objects stay usable after a commit."""
        return DocumentSession(self.engine, documents=self.stores, expire_on_commit=False)

    def services(self) -> DocumentStore:
        return self.stores["services"]

    def jobs(self) -> DocumentStore:
        return self.stores["jobs"]

    def save(self, *things: Any) -> None:
        with self.session() as session:
            session.add_all(things)
            session.commit()

    def wrong(self) -> list[Disagreement]:
        """Compare all there is, in the plainest way: everything in memory at once."""
        found: list[Disagreement] = []
        with self.engine.connect() as connection:
            for model in (Service, Job):
                resource, store = model.resource(), self.stores[model.resource().name]
                rows = dict(resource.page(connection, None, 100_000))
                documents = dict(store.get_many([*rows, *store.keys()]))
                for key in sorted({*rows, *documents}):
                    found += disagreements(resource.name, key, store.label, rows, documents)
        return found


class Deadly:
    """A store that kills its process at *point*; all it does otherwise is what the real one does.

    Not a stand-in: the documents are in the real store, and the process really dies.
    """

    def __init__(self, store: DocumentStore, point: str) -> None:
        self._store = store
        self._point = point
        self.label = store.label
        self.get = store.get
        self.get_many = store.get_many
        self.keys = store.keys

    def put(self, key: uuid.UUID, document: Any) -> None:
        self._die_around("put", lambda: self._store.put(key, document))

    def delete(self, key: uuid.UUID) -> None:
        self._die_around("delete", lambda: self._store.delete(key))

    def _die_around(self, what: str, act: Callable[[], None]) -> None:
        self._die_at(f"before {what}")
        act()
        self._die_at(f"after {what}")

    def _die_at(self, point: str) -> None:
        if point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


class DeadlyStores:
    """The stores of a process that is to die."""

    def __init__(self, stores: DocumentStores, point: str) -> None:
        self._stores = stores
        self._point = point
        self.label = stores.label
        self.close = stores.close

    def __getitem__(self, resource: str) -> Deadly:
        return Deadly(self._stores[resource], self._point)


def other_process(kitchen: Kitchen, act: str, point: str, key: uuid.UUID) -> int:
    """Let another process *act* on the service of *key*, and die; return how it ended."""
    assert isinstance(kitchen.stores, SQLDocumentStores)
    urls = [kitchen.engine.url, kitchen.stores._engine.url]
    rows, documents = (each.render_as_string(hide_password=False) for each in urls)
    done = subprocess.run(
        [sys.executable, str(Path(__file__))],
        input="\n".join([act, point, rows, documents, str(key)]),
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def changed(oven: Service) -> None:
    """Change one place of a document."""
    oven.job_registration_schema = {**SCHEMA, "properties": {"name": {"type": "integer"}}}


def main() -> None:
    act, point, rows, documents, key = sys.stdin.read().split("\n")
    stores = DeadlyStores(SQLDocumentStores(sa.create_engine(documents)), point)
    with DocumentSession(sa.create_engine(rows), documents=stores) as session:
        if act == "create":
            session.add(Service(service_id=key, name="oven", job_registration_schema=SCHEMA))
        elif act == "update":
            changed(session.get_one(Service, uuid.UUID(key)))
        elif act == "delete":
            session.delete(session.get_one(Service, uuid.UUID(key)))
        session.commit()


if __name__ == "__main__":
    main()
