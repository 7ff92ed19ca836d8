"""What can become of a job, in the words that the API, the models and the database share."""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """The state of a job; the database stores the name, which is also the value."""

    REGISTERED = "REGISTERED"
    """Accepted, and waiting for the service to take it."""

    COMPLETED = "COMPLETED"
    """Done; the results are there."""

    WORKING = "WORKING"
    """Taken by the service."""

    ERROR = "ERROR"
    """Given up; the results, if any, say why."""

    @property
    def is_final(self) -> bool:
        """Whether the service is through with the job."""
        return self in (JobStatus.COMPLETED, JobStatus.ERROR)
