"""List the revisions, and when and by whom each was applied.

Without a database it lists what the project has. Moves made by plain alembic show as applied,
without a name or a time. --drop exports and removes the tables of topchef-db, for a team that
leaves; alembic's own version table stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from topchef_schema.commands import options
from topchef_schema.commands.listing import follows, marks
from topchef_schema.commands.several import labels
from topchef_schema.model import HistoryEntry, Report, Revision, Table

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.observe import Observed


def history(project: Project, range_: str | None = None, *, drop: bool = False) -> Report:
    """Return the revisions of *range_* (``FROM:TO`` or one), newest first.

    ``data`` is ``{"revisions": [{"revision", "down_revisions", "message", "status", "applied_at",
    "milliseconds", "by", "git_commit"}]}``, with ``"events"`` beside it: every row of the history,
    oldest first. With *drop* the rows are in the report and the tables are gone. Where env.py
    migrates several databases, both tell of one after the other, and name it as ``"target"``.
    """
    from topchef_schema.stages import apply

    revisions = project.revisions.between(range_)
    seen = _seen(project)
    if drop and all(each.present for each in seen):
        # Read again as they go: another run may have added rows since.
        dropped = apply.drop_own_tables(project)
        seen = tuple(replace(each, history=rows) for each, rows in zip(seen, dropped, strict=True))
    several = len(seen) > 1
    told = [_rows(project, revisions, each) for each in seen or [None]]
    return Report(
        "history",
        target=labels(seen) if seen else None,
        data={
            "revisions": _named(told, seen),
            "events": _named([[_event(entry) for entry in each.history] for each in seen], seen),
        },
        tables=tuple(
            replace(
                _table(project, revisions, rows, each),
                title=each.label if each is not None and several else None,
            )
            for each, rows in zip(seen or [None], told, strict=True)
        ),
        summary="the tables of topchef-db are removed; keep this report" if drop else None,
    )


def _named(
    told: Sequence[Sequence[dict[str, Any]]], seen: Sequence[Observed]
) -> list[dict[str, Any]]:
    """Return what is told of each database in one list; of several, with their names."""
    if len(seen) < 2:
        return [row for rows in told for row in rows]
    return [
        row | {"target": each.label} for each, rows in zip(seen, told, strict=True) for row in rows
    ]


def _seen(project: Project) -> tuple[Observed, ...]:
    """Look at the databases; none where only env.py knows one and it cannot be reached."""
    from topchef_schema.errors import TopchefError
    from topchef_schema.stages import observe

    try:
        return observe.databases(project, history=True)
    except TopchefError:
        if project.environment.named:
            raise
        return ()


def _rows(
    project: Project, revisions: tuple[Revision, ...], seen: Observed | None
) -> list[dict[str, Any]]:
    settled = _settled(project, seen)
    applied = project.revisions.applied_at(seen.heads) if seen else None
    return [_row(each, settled.get(each.id), applied) for each in reversed(revisions)]


def _settled(project: Project, seen: Observed | None) -> dict[str, HistoryEntry]:
    from topchef_schema.stages.ledger import settled

    revisions = project.revisions
    return settled(seen.history if seen else (), lambda each: revisions.applied_at((each,)))


def _row(
    revision: Revision, entry: HistoryEntry | None, applied: set[str] | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "revision": revision.id,
        "down_revisions": list(revision.down),
        "message": revision.message,
        "status": None,
        "applied_at": None,
        "milliseconds": None,
        "by": None,
        "git_commit": None,
    }
    if applied is None:
        return row
    if revision.id not in applied:
        return row | {"status": "pending"}
    if entry is None or entry.takes_away:
        # The version table has it, and the history does not know how.
        return row | {"status": "applied by alembic"}
    return row | {
        "status": str(entry.status),
        "applied_at": entry.finished_at.isoformat() + "Z" if entry.finished_at else None,
        "milliseconds": entry.milliseconds,
        "by": _by(entry),
        "git_commit": entry.git_commit,
    }


def _by(entry: HistoryEntry) -> str:
    place = "@".join(filter(None, (entry.os_user, entry.host)))
    return place + (f" as {entry.database_user}" if entry.database_user else "")


def _event(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "run_id": entry.run_id,
        "revision": entry.revision,
        "direction": entry.direction,
        "status": str(entry.status),
        "started_at": entry.started_at.isoformat() + "Z",
        "finished_at": entry.finished_at.isoformat() + "Z" if entry.finished_at else None,
        "milliseconds": entry.milliseconds,
        "by": _by(entry),
        "tool_version": entry.tool_version,
        "git_commit": entry.git_commit,
        "file_sha256": entry.file_sha256,
        "reason": entry.reason,
        "error": entry.error,
    }


def _table(
    project: Project,
    revisions: tuple[Revision, ...],
    rows: list[dict[str, Any]],
    seen: Observed | None,
) -> Table:
    newest_first = list(reversed(revisions))
    if seen is None:
        return Table(
            ("revision", "follows", "", "message"),
            tuple(
                (each.id, follows(each), marks(project, each), each.message)
                for each in newest_first
            ),
        )
    cells = tuple(
        (
            each.id,
            row["status"] or "",
            (row["applied_at"] or "").replace("T", " "),
            "" if row["milliseconds"] is None else f"{row['milliseconds']} ms",
            row["by"] or "",
            each.message,
        )
        for each, row in zip(newest_first, rows, strict=True)
    )
    return Table(("revision", "status", "at", "took", "by", "message"), cells)


@click.argument("range_", metavar="[RANGE]", required=False, type=options.REVISION)
@click.option("--drop", is_flag=True, help="Remove our tables; the report holds their rows.")
def history_command(project: Project, *, range_: str | None, drop: bool) -> Report:
    """Hand the options to `history`."""
    return history(project, range_, drop=drop)


COMMAND = options.command(
    epilog="""
    topchef-db history
    topchef-db history ae10:head --format json
    topchef-db history --drop -o history.json --format json
    """
)(history_command)
