"""What all stores share: the error of a document that is not there, and the way to open them."""

from __future__ import annotations

import uuid

from topchef_schema.errors import UsageError
from topchef_schema.model.documents import DocumentStores


class NoDocumentError(KeyError):
    """There is no document for *key* in *store*."""

    def __init__(self, store: str, key: uuid.UUID) -> None:
        super().__init__(key)
        self.store = store
        self.key = key

    def __str__(self) -> str:
        return f"there is no document for {self.key} in {self.store}"


def open_stores(url: str) -> DocumentStores:
    """Open the document stores at *url*: ``mongodb://…``, or what `create_engine` takes.

    Nothing is made there, and a server is not asked before the first document is. Raises
    `UsageError` for a URL of neither kind, and where its driver, or pymongo, is not installed.
    """
    if url.startswith(("mongodb://", "mongodb+srv://")):
        from topchef_schema.database.documents.mongodb_document_store import MongoDBDocumentStores

        return MongoDBDocumentStores.open(url)
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    from topchef_schema.database.documents.sql_document_store import SQLDocumentStores

    try:
        return SQLDocumentStores(create_engine(url))
    except ModuleNotFoundError as error:
        raise UsageError(
            f'the driver "{error.name}" of this document store is not installed',
            where="the document store",
            hint="name one that is, for example postgresql+psycopg://, mariadb+pymysql://",
        ) from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        # SQLAlchemy's own message repeats the URL, and the password with it.
        raise UsageError(
            "this is not the URL of a document store",
            where="the document store",
            hint="write mongodb://user:password@host/database, or the URL of a SQL database, with "
            "special characters of the password percent-encoded (@ is %40)",
        ) from None
