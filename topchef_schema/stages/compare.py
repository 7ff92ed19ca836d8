"""What do the models say that the revisions do not? Found on scratch databases, per backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.errors import MigrationError, UsageError
from topchef_schema.project import Project
from topchef_schema.stages import scratch
from topchef_schema.stages.as_modelled import differences
from topchef_schema.stages.entry import Entry, Target

if TYPE_CHECKING:
    from topchef_schema.bridge.autogenerate import Generated
    from topchef_schema.bridge.session import Session
    from topchef_schema.model import Change


@dataclass(frozen=True, slots=True)
class Lack:
    """What one backend's revisions lack towards the models.

    *changes* is what the models make otherwise than the revisions, also where no operation says
    so; it is empty where the models cannot be made without the revisions.
    """

    operations: Generated
    changes: tuple[Change, ...]


def lacking(project: Project, on: Sequence[str]) -> Mapping[str, Lack]:
    """Return, for each backend of *on*, what the revisions lack towards the models.

    Raises `UsageError` where the project has no metadata, `MigrationError` where the revisions
    that exist do not run.
    """
    if project.settings.databases:
        raise UsageError(
            "a revision for several databases cannot be generated",
            where="setting databases",
            hint="let alembic generate it (alembic revision --autogenerate), or write it by hand: "
            "topchef-db revision --empty; topchef-db roundtrip proves it all the same",
        )
    # A database that is a file alters a table by making it anew. A batch does so, and alters it
    # elsewhere: so the same is written for all.
    in_batches = any(scratch.resolve(word)[0].made_by_connecting for word in on)
    found = {}
    for word in on:
        with (
            scratch.place(word) as place,
            place.databases(project) as databases,
            place.database() as empty,
        ):
            url = empty.url.render_as_string(hide_password=False)
            found[place.backend.name] = place.run(
                _lacking, project, databases, url, in_batches=in_batches
            )
    return found


def _lacking(project: Project, empty: str, *, in_batches: bool) -> Lack:
    """Bring a scratch database to the heads, in a worker, and compare it with the metadata."""
    from sqlalchemy import make_url

    from topchef_schema.bridge.autogenerate import generate
    from topchef_schema.bridge.session import StepFailed

    def body(session: Session, target: Target) -> Lack:
        metadata = session.configured.metadata
        if not metadata:
            raise UsageError(
                "there is no model metadata to generate from",
                where=project.environment.config_file,
                hint="set target_metadata in env.py, or metadata = module:attribute in [topchef]",
            )
        for step in project.revisions.upgrade("heads", session.heads()):
            session.step(step)
        found = differences(session.connection, target, metadata, make_url(empty))
        return Lack(generate(session, found.look, in_batches=in_batches), found.changes)

    try:
        return Entry(project, isolate=True).run_at(None, body)
    except StepFailed as failed:
        raise MigrationError(
            f"revision {failed.step.revision.id} fails on an empty database: "
            f"{first_line(failed.cause)}",
            where=str(failed.location),
            hint="correct it first; topchef-db roundtrip shows more",
        ) from None
