"""TopChef's tables, written once for all databases.

Every constraint and index has a name that follows from its table and columns: what has no name
cannot be dropped by a later revision.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Enum,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
)

from topchef_schema.database.json_type import JSON
from topchef_schema.database.schemas.abstract_database_schema import AbstractDatabaseSchema
from topchef_schema.database.schemas.job_status import JobStatus
from topchef_schema.database.utc_date_time import UtcDateTime, utc_now
from topchef_schema.database.uuid_database_type import UUID

NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}
"""How constraints and indexes are called; every name has the table's, so it is unique."""

MAX_PREFIX_LENGTH = 24
"""Keeps every name well below PostgreSQL's 63 characters, where SQLAlchemy would cut it."""


class DatabaseSchema(AbstractDatabaseSchema):
    """The tables of one TopChef.

    Two TopChefs share a database when each has a *schema* (a PostgreSQL schema; on MySQL and
    MariaDB another database of the same server; on SQLite an attached file) or a *prefix* that
    begins the name of every table, type, constraint and index.

    Raises `ValueError` for a *prefix* that is not lower-case ASCII letters, digits and
    underscores beginning with a letter, or that is longer than `MAX_PREFIX_LENGTH`.
    """

    def __init__(self, *, schema: str | None = None, prefix: str = "") -> None:
        if prefix and not re.fullmatch(r"[a-z][a-z0-9_]*", prefix):
            raise ValueError(
                f"the table prefix {prefix!r} is not lower-case letters, digits and underscores"
                " beginning with a letter: servers differ in how they treat other names"
            )
        if len(prefix) > MAX_PREFIX_LENGTH:
            raise ValueError(
                f"the table prefix {prefix!r} is longer than {MAX_PREFIX_LENGTH} characters"
            )
        self._prefix = prefix
        self._metadata = MetaData(schema=schema, naming_convention=NAMING_CONVENTION)
        self._services = self._make_services()
        self._job_sets = self._make_job_sets()
        self._jobs = self._make_jobs()

    @property
    def metadata(self) -> MetaData:
        """The collection that knows every table, constraint and index of this schema."""
        return self._metadata

    @property
    def services(self) -> Table:
        """The services: what each takes and gives (as JSON Schemas), and its heartbeat."""
        return self._services

    @property
    def jobs(self) -> Table:
        """The jobs; one is deleted with its service, and outlives its job set."""
        return self._jobs

    @property
    def job_sets(self) -> Table:
        """The job sets."""
        return self._job_sets

    def _make_services(self) -> Table:
        return self._table(
            "services",
            _key("service_id"),
            Column("name", String(30), nullable=False),
            Column("description", String(1000), nullable=False, default="No description"),
            Column("last_checked_in", UtcDateTime, nullable=False, default=utc_now),
            Column("heartbeat_timeout_seconds", Integer, nullable=False, default=30),
            Column("is_service_available", Boolean, nullable=False, default=True),
            Column("job_registration_schema", JSON, nullable=False, default=_any_object),
            Column("job_result_schema", JSON, nullable=False, default=_any_object),
        )

    def _make_job_sets(self) -> Table:
        return self._table(
            "job_sets",
            _key("job_set_id"),
            Column("description", String(140), nullable=False),
        )

    def _make_jobs(self) -> Table:
        status = Enum(
            JobStatus,
            name=f"{self._prefix}job_status",
            metadata=self._metadata,
            validate_strings=True,  # SQLite would store any word
        )
        return self._table(
            "jobs",
            _key("job_id"),
            Column(
                "service_id",
                ForeignKey(self._services.c.service_id, ondelete="CASCADE"),
                nullable=False,
                index=True,
            ),
            Column("date_submitted", UtcDateTime, nullable=False, default=utc_now),
            Column("status", status, nullable=False, default=JobStatus.REGISTERED),
            Column("parameters", JSON, nullable=False),
            Column("results", JSON(none_as_null=True)),
            Column(
                "job_set_id",
                ForeignKey(self._job_sets.c.job_set_id, ondelete="SET NULL"),
                index=True,
            ),
        )

    def _table(self, name: str, *columns: Column[Any]) -> Table:
        return Table(self._prefix + name, self._metadata, *columns)


def _key(name: str) -> Column[Any]:
    import uuid

    return Column(name, UUID, primary_key=True, default=uuid.uuid4)


def _any_object() -> dict[str, str]:
    """Return the JSON Schema that takes every object: what a service has that gave none."""
    return {"type": "object"}


SCHEMA = DatabaseSchema()
"""The tables of the TopChef that has a database to itself; the models are mapped onto them."""

metadata = SCHEMA.metadata
"""What ``alembic.ini`` names, for revisions to be generated from."""
