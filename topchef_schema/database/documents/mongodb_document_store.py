"""Documents in MongoDB, a collection for each resource; needs the extra ``mongodb``.

A document is kept as the JSON text of `encode`, under the row's UUID as a binary of subtype 4.
MongoDB's own values could not hold what a row can: a JSON Schema's ``$ref`` where the server is
older than 5.0, integers from 2**63 on, members in the order that makes equal documents equal.

Untested: see the page of this module.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from topchef_schema.database.documents.document_store import NoDocumentError
from topchef_schema.database.json_document import JSONValueError, encode
from topchef_schema.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.collection import Collection as MongoDBCollection

DATABASE = "topchef"
"""The database where the URL names none."""

MAX_BYTES = 16 * 1024 * 1024 - 1024
"""MongoDB's limit for a document, less what is around the text."""

SECONDS_TO_WAIT = 10
"""For a server that can be used, unless the URL says otherwise (``serverSelectionTimeoutMS``)."""


class MongoDBDocumentStores:
    """The stores in one database of MongoDB; see `topchef_schema.model.documents`."""

    def __init__(self, client: MongoClient[dict[str, Any]], label: str) -> None:
        self._client = client
        self._label = label

    @classmethod
    def open(cls, url: str) -> MongoDBDocumentStores:
        """Open those at *url*; no server is asked yet.

        Raises `UsageError` for a URL that cannot be read, and when pymongo is not installed.
        """
        try:
            from pymongo import MongoClient
            from pymongo.errors import PyMongoError
        except ImportError as error:
            raise UsageError(
                "documents in MongoDB need pymongo, which is not installed",
                where=_label(url),
                hint="pip install 'topchef-schema[mongodb]'",
            ) from error
        try:
            client: MongoClient[dict[str, Any]] = MongoClient(
                url, **_unless_said(url), uuidRepresentation="standard"
            )
        except (PyMongoError, ValueError) as error:
            raise UsageError(
                f"this URL of a document store cannot be read: {type(error).__name__}",
                where=_label(url),
                hint="write mongodb://user:password@host/database, with special characters of the "
                "password percent-encoded (@ is %40)",
            ) from None
        return cls(client, _label(url))

    @property
    def label(self) -> str:
        """The URL without user, password and options."""
        return self._label

    def __getitem__(self, resource: str) -> MongoDBDocumentStore:
        """Return the store for the documents of *resource*."""
        database = self._client.get_default_database(DATABASE)
        return MongoDBDocumentStore(
            database[resource], f"{self._label}, collection {database.name}.{resource}"
        )

    def create(self) -> None:
        """Do nothing: MongoDB makes a collection with its first document."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class MongoDBDocumentStore:
    """The documents of one resource: a collection."""

    def __init__(self, collection: MongoDBCollection[dict[str, Any]], label: str) -> None:
        self._collection = collection
        self._label = label

    @property
    def label(self) -> str:
        """The server, the database and the collection."""
        return self._label

    def get(self, key: uuid.UUID) -> Any:
        """Return the document of *key*; raises `NoDocumentError`."""
        found = self.get_many([key])
        if key not in found:
            raise NoDocumentError(self.label, key)
        return found[key]

    def get_many(self, keys: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Any]:
        """Return the documents of those of *keys* that have one."""
        with self._asked():
            found = self._collection.find({"_id": {"$in": list(keys)}})
            return {each["_id"]: json.loads(each["document"]) for each in found}

    def put(self, key: uuid.UUID, document: Any) -> None:
        """Store *document* for *key*.

        Raises `JSONValueError` for what no row could hold, or is larger than MongoDB takes.
        """
        text = encode(document)
        if len(text.encode()) > MAX_BYTES:
            raise JSONValueError("$", f"is longer than {MAX_BYTES} bytes, MongoDB's limit")
        with self._asked():
            self._collection.replace_one({"_id": key}, {"document": text}, upsert=True)

    def delete(self, key: uuid.UUID) -> None:
        """Remove the document of *key*, if there is one."""
        with self._asked():
            self._collection.delete_one({"_id": key})

    def keys(self) -> Iterator[uuid.UUID]:
        """Yield the UUIDs that have a document."""
        with self._asked():
            for each in self._collection.find({}, {"_id": True}):
                if not isinstance(each["_id"], uuid.UUID):
                    raise UsageError(
                        f"a document of somebody else's: its _id is {each['_id']!r}, no UUID",
                        where=self.label,
                        hint="give the documents a database of their own",
                    )
                yield each["_id"]

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Say in our words why the server refuses."""
        from pymongo.errors import PyMongoError

        try:
            yield
        except PyMongoError as error:
            said = str(error).partition("\n")[0].partition(", Timeout: ")[0]
            raise UnreachableError(
                f"the document store cannot be used: {said}",
                where=self.label,
                hint="is the server running, and are host, port, user and database right?",
            ) from error


def _unless_said(url: str) -> dict[str, Any]:
    """Return how long to wait for a server, if *url* does not say it."""
    said = "serverselectiontimeoutms" in url.lower()
    return {} if said else {"serverSelectionTimeoutMS": SECONDS_TO_WAIT * 1000}


def _label(url: str) -> str:
    """Return *url* without user and password; also where an @ in it is not encoded."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
