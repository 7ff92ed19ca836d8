"""The tables: what they are called, what they hold, and what the database itself enforces."""

from __future__ import annotations

from topchef_schema.database.schemas.abstract_database_schema import AbstractDatabaseSchema
from topchef_schema.database.schemas.database_schema import DatabaseSchema
from topchef_schema.database.schemas.job_status import JobStatus

__all__ = ["AbstractDatabaseSchema", "DatabaseSchema", "JobStatus"]
