"""Job sets: jobs that belong together, whichever services do them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from sqlalchemy.orm import Mapped, relationship, synonym

from topchef_schema.database.models.abstract_database_model import AbstractDatabaseModel
from topchef_schema.database.schemas.database_schema import SCHEMA

if TYPE_CHECKING:
    from topchef_schema.database.models.job import Job


class JobSet(AbstractDatabaseModel):
    """A set of jobs; without it, they are still jobs."""

    __table__ = SCHEMA.job_sets
    _shown = ("description",)

    job_set_id: Mapped[uuid.UUID]
    """The key; `id` is another name for it."""

    description: Mapped[str]
    """What the jobs have in common; at most 140 characters."""

    jobs: Mapped[list[Job]] = relationship(
        back_populates="job_set", order_by=SCHEMA.jobs.c.date_submitted
    )
    """Its jobs, the oldest first; they stay when the set is deleted."""

    id: Mapped[uuid.UUID] = synonym("job_set_id")

    @classmethod
    def new(cls, description: str, *, jobs: Iterable[Job] = ()) -> Self:
        """Make a set of *jobs*. Raises `ValueError` for a description that is too long."""
        return cls(description=description, jobs=list(jobs))
