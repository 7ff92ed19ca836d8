"""The models whose rows have documents; `alembic.ini` names them in the setting ``documents``."""

from __future__ import annotations

from topchef_schema.database.documents.resource import Resources
from topchef_schema.database.models.job import Job
from topchef_schema.database.models.service import Service

DOCUMENTED = Resources(Service.resource(), Job.resource())
