"""TopChef's own schema and models, on SQLite, PostgreSQL, MariaDB and MySQL alike.

Nothing of the toolkit imports this package: its revisions are a project like any other, and meet
the toolkit in one string of ``alembic.ini``.
"""

from __future__ import annotations

from topchef_schema.database.json_type import JSON, JSONValueError
from topchef_schema.database.models import AbstractDatabaseModel, Job, JobSet, Service
from topchef_schema.database.schemas import AbstractDatabaseSchema, DatabaseSchema, JobStatus
from topchef_schema.database.utc_date_time import UtcDateTime, utc_now
from topchef_schema.database.uuid_database_type import UUID

__all__ = [
    "JSON",
    "UUID",
    "AbstractDatabaseModel",
    "AbstractDatabaseSchema",
    "DatabaseSchema",
    "JSONValueError",
    "Job",
    "JobSet",
    "JobStatus",
    "Service",
    "UtcDateTime",
    "utc_now",
]
