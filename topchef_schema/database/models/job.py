"""Jobs: what a service was asked to do, how far it is, and what came out."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy.orm import Mapped, relationship, synonym

from topchef_schema.database.models.abstract_database_model import AbstractDatabaseModel
from topchef_schema.database.schemas.database_schema import SCHEMA
from topchef_schema.database.schemas.job_status import JobStatus
from topchef_schema.database.utc_date_time import utc_now

if TYPE_CHECKING:
    from topchef_schema.database.models.job_set import JobSet
    from topchef_schema.database.models.service import Service


class Job(AbstractDatabaseModel):
    """A job of one service; it ends with that service, and may belong to a job set."""

    __table__ = SCHEMA.jobs
    documents = ("parameters", "results")
    _shown = ("status",)

    job_id: Mapped[uuid.UUID]
    """The key; `id` is another name for it."""

    service_id: Mapped[uuid.UUID]
    """The key of the service that does it."""

    date_submitted: Mapped[datetime]
    """When it was submitted, in UTC."""

    status: Mapped[JobStatus]
    """How far it is."""

    parameters: Mapped[Any]
    """What was asked: a JSON document of the service's `job_registration_schema`."""

    results: Mapped[Any | None]
    """What came out: a JSON document of its `job_result_schema`, or None as long as there is none.

    A result that is the document ``null`` is written as `JSON.NULL`, and read as None too.
    """

    job_set_id: Mapped[uuid.UUID | None]
    """The key of the set that it belongs to, if any."""

    service: Mapped[Service] = relationship(back_populates="jobs")
    """The service that does it."""

    job_set: Mapped[JobSet | None] = relationship(back_populates="jobs")
    """The set that it belongs to, if any."""

    id: Mapped[uuid.UUID] = synonym("job_id")

    @classmethod
    def new(
        cls,
        service: Service,
        parameters: Any,
        *,
        job_set: JobSet | None = None,
        validated: bool = False,
    ) -> Self:
        """Make a job that is submitted to *service* now, and stored with it.

        With *validated*, the parameters must be what the service takes, else it raises
        `DocumentInvalidError`. Raises `JSONValueError` for what is no JSON on every database.
        """
        if validated:
            service.validate_parameters(parameters)
        return cls(
            service=service,
            job_set=job_set,
            date_submitted=utc_now(),
            status=JobStatus.REGISTERED,
            parameters=parameters,
            results=None,
        )

    def validate_parameters(self) -> None:
        """Raise `DocumentInvalidError` unless the parameters are what the service takes."""
        self.service.validate_parameters(self.parameters)

    def validate_results(self) -> None:
        """Raise `DocumentInvalidError` unless the results are what the service gives."""
        self.service.validate_results(self.results)
