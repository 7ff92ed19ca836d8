"""Services: the programs that do jobs, and how one knows that they are still there."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy.orm import Mapped, relationship, synonym

from topchef_schema.database.models.abstract_database_model import AbstractDatabaseModel
from topchef_schema.database.schemas.database_schema import SCHEMA
from topchef_schema.database.utc_date_time import to_utc, utc_now
from topchef_schema.database.validation import validate

if TYPE_CHECKING:
    from topchef_schema.database.models.job import Job


class Service(AbstractDatabaseModel):
    """A service, what it takes and gives, and when it was last heard of."""

    __table__ = SCHEMA.services
    documents = ("job_registration_schema", "job_result_schema")
    _shown = ("name",)

    service_id: Mapped[uuid.UUID]
    """The key; `id` is another name for it."""

    name: Mapped[str]
    """What people call it; at most 30 characters."""

    description: Mapped[str]
    """What it does; at most 1000 characters."""

    last_checked_in: Mapped[datetime]
    """When it was last heard of, in UTC."""

    heartbeat_timeout_seconds: Mapped[int]
    """How many seconds it may stay silent."""

    is_service_available: Mapped[bool]
    """Whether the service itself says that it takes jobs; see also `is_available`."""

    job_registration_schema: Mapped[Any]
    """The JSON Schema of the parameters that it takes."""

    job_result_schema: Mapped[Any]
    """The JSON Schema of the results that it gives."""

    jobs: Mapped[list[Job]] = relationship(
        back_populates="service",
        cascade="all, delete-orphan",
        order_by=SCHEMA.jobs.c.date_submitted,
    )
    """Its jobs, the oldest first; they are deleted with the service."""

    id: Mapped[uuid.UUID] = synonym("service_id")

    @classmethod
    def new(
        cls,
        name: str,
        *,
        description: str = "No description",
        heartbeat_timeout_seconds: int = 30,
        is_service_available: bool = True,
        job_registration_schema: Any = None,
        job_result_schema: Any = None,
    ) -> Self:
        """Make a service that has just checked in.

        The two JSON Schemas say what parameters its jobs take and what results they have; one
        that is None takes every object. Raises `ValueError` for what a column cannot hold.
        """
        return cls(
            name=name,
            description=description,
            last_checked_in=utc_now(),
            heartbeat_timeout_seconds=heartbeat_timeout_seconds,
            is_service_available=is_service_available,
            job_registration_schema=_or_any_object(job_registration_schema),
            job_result_schema=_or_any_object(job_result_schema),
        )

    @property
    def expires_at(self) -> datetime:
        """The moment from which on the service counts as gone, unless it checks in before."""
        return self.last_checked_in + timedelta(seconds=self.heartbeat_timeout_seconds)

    def has_timed_out(self, now: datetime | None = None) -> bool:
        """Whether the service was silent for its whole heartbeat timeout, at *now* or already.

        Raises `ValueError` for a *now* without a time zone.
        """
        return self.expires_at <= (utc_now() if now is None else to_utc(now))

    @property
    def is_available(self) -> bool:
        """Whether the service says that it takes jobs, and was heard of in time."""
        return self.is_service_available and not self.has_timed_out()

    def check_in(self, now: datetime | None = None) -> None:
        """Note that the service was heard of, at *now* or just now.

        A message that was overtaken by a later one does not turn the clock back.
        """
        moment = utc_now() if now is None else to_utc(now)
        self.last_checked_in = max(moment, self.last_checked_in)

    def validate_parameters(self, parameters: Any) -> None:
        """Raise `DocumentInvalidError` unless *parameters* are what the service takes."""
        validate(parameters, self.job_registration_schema, what="the parameters")

    def validate_results(self, results: Any) -> None:
        """Raise `DocumentInvalidError` unless *results* are what the service gives."""
        validate(results, self.job_result_schema, what="the results")


def _or_any_object(schema: Any) -> Any:
    return {"type": "object"} if schema is None else schema
