"""The rows as objects: services, the jobs they do, and the sets that jobs are grouped in."""

from __future__ import annotations

from topchef_schema.database.models.abstract_database_model import AbstractDatabaseModel
from topchef_schema.database.models.job import Job
from topchef_schema.database.models.job_set import JobSet
from topchef_schema.database.models.service import Service

__all__ = ["AbstractDatabaseModel", "Job", "JobSet", "Service"]
