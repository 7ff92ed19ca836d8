"""Write the canonical schema of a database.

Two snapshots of equal schemas on one server are equal byte for byte, so that diff shows a change.
Alembic's version table and our own tables are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.commands import options
from topchef_schema.commands.several import labels
from topchef_schema.model import Report, Snapshot

if TYPE_CHECKING:
    from topchef_schema.project import Project


def snapshot(project: Project) -> Report:
    """Return the schema of the database of *project*.

    ``data`` is ``{"objects": {"kind qualified.name": "definition", ...}, "fingerprint": "..."}``,
    objects in order of their keys. Where env.py migrates several databases, their names stand
    before the keys; tenants of one database are in its one schema.
    """
    from topchef_schema.stages import observe
    from topchef_schema.stages.entry import require_database

    require_database(project)
    seen = observe.databases(project, schema=True)
    databases = {each.database: each for each in seen}
    found = Snapshot(
        {
            key if len(databases) == 1 else f"{name}: {key}": value
            for name, each in databases.items()
            for key, value in (each.snapshot or Snapshot({})).objects.items()
        }
    )
    objects = dict(sorted(found.objects.items()))
    return Report(
        "snapshot",
        target=labels(seen),
        data={"objects": objects, "fingerprint": found.fingerprint},
        pieces=[f"{key}\n{_indented(value)}" for key, value in objects.items()],
        summary=f"{len(objects)} objects, fingerprint {found.fingerprint}",
    )


def _indented(definition: str) -> str:
    return "".join(f"    {line}\n" for line in definition.splitlines())


def snapshot_command(project: Project) -> Report:
    """Call `snapshot`."""
    return snapshot(project)


COMMAND = options.command(
    epilog="""
    topchef-db snapshot
    topchef-db snapshot --format json -o schema.json
    """
)(snapshot_command)
