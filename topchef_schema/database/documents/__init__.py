"""Documents beside rows: where they are kept, and how they are kept in step with their rows."""

from __future__ import annotations

from topchef_schema.database.documents.disagreement import (
    DocumentDifferentError,
    DocumentDisagreementError,
    DocumentExtraError,
    DocumentMissingError,
)
from topchef_schema.database.documents.document_session import DocumentSession
from topchef_schema.database.documents.document_store import NoDocumentError, open_stores
from topchef_schema.database.documents.mongodb_document_store import (
    MongoDBDocumentStore,
    MongoDBDocumentStores,
)
from topchef_schema.database.documents.repair import Right
from topchef_schema.database.documents.resource import Resource, Resources
from topchef_schema.database.documents.sql_document_store import (
    SQLDocumentStore,
    SQLDocumentStores,
)
from topchef_schema.model.documents import (
    Disagree,
    Disagreement,
    Documented,
    DocumentStore,
    DocumentStores,
)

__all__ = [
    "Disagree",
    "Disagreement",
    "DocumentDifferentError",
    "DocumentDisagreementError",
    "DocumentExtraError",
    "DocumentMissingError",
    "DocumentSession",
    "DocumentStore",
    "DocumentStores",
    "Documented",
    "MongoDBDocumentStore",
    "MongoDBDocumentStores",
    "NoDocumentError",
    "Resource",
    "Resources",
    "Right",
    "SQLDocumentStore",
    "SQLDocumentStores",
    "open_stores",
]
