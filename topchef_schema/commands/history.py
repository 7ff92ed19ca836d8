"""List the revisions, and when and by whom each was applied.

Without a database it lists what the project has. Moves made by plain alembic show as such, without
a name or a time. --events lists every row of the history instead, stamps, failures and reasons
included. --drop exports and removes the tables of topchef-db, for a team that
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
    from datetime import datetime

    from topchef_schema.project import Project
    from topchef_schema.stages.observe import Observed


def history(
    project: Project, range_: str | None = None, *, events: bool = False, drop: bool = False
) -> Report:
    """Return the revisions of *range_* (``FROM:TO`` or one), newest first.

    ``data`` is ``{"revisions": [{"revision", "down_revisions", "message", "status", "applied_at",
    "milliseconds", "by", "git_commit", "tool_version"}]}``, with ``"events"`` beside it: every row
    of the history, oldest first; with *events* they are what a reader is shown, too. With *drop*
    the rows are in the report and the tables are gone. Where env.py migrates several databases,
    both tell of one after the other, and name it as ``"target"``.
    """
    from topchef_schema.stages import apply

    revisions = project.revisions.between(range_)
    seen = _seen(project)
    if drop and all(each.present for each in seen):
        # Read again as they go: another run may have added rows since.
        dropped = apply.drop_own_tables(project)
        seen = tuple(replace(each, history=rows) for each, rows in zip(seen, dropped, strict=True))
    several = len(seen) > 1
    told = [
        [*(_unknown(project, each) if range_ is None else ()), *_rows(project, revisions, each)]
        for each in seen or [None]
    ]
    return Report(
        "history",
        target=labels(seen) if seen else None,
        data={
            "revisions": _named(told, seen),
            "events": _named([[_event(entry) for entry in each.history] for each in seen], seen),
        },
        tables=tuple(
            (
                _events(each)
                if (events or drop) and each
                else _table(project, revisions, rows, each)
            )._replace(title=each.label if each is not None and several else None)
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
    recorded = _recorded(project, seen)
    applied = project.revisions.applied_at(seen.heads) if seen else None
    if seen is not None and seen.shared:
        # What another tenant has is no sign that this one had it.
        recorded = {id: entry for id, entry in recorded.items() if id in (applied or ())}
    hidden = seen is not None and seen.hidden
    return [
        _row(each, recorded.get(each.id), applied, hidden=hidden) for each in reversed(revisions)
    ]


def _unknown(project: Project, seen: Observed | None) -> list[dict[str, Any]]:
    """Tell of what the database is at and this project does not have."""
    recorded = _recorded(project, seen)
    rows: list[dict[str, Any]] = []
    if seen is None:
        return rows
    for head in seen.heads:
        if not project.revisions.known(head):
            stranger = Revision(head, (), (), (), "", "", "")
            row = _row(stranger, recorded.get(head), {head}, hidden=seen.hidden)
            rows.append(row | {"status": f"{row['status']}, not in this project"})
    return rows


def _recorded(project: Project, seen: Observed | None) -> dict[str, HistoryEntry]:
    from topchef_schema.stages.recorded import recorded

    return recorded(seen.history if seen else (), project.revisions.parents_of)


def _row(
    revision: Revision, entry: HistoryEntry | None, applied: set[str] | None, *, hidden: bool
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
        "tool_version": None,
    }
    if applied is None:
        return row
    if revision.id not in applied:
        # By the history the database has it, and the version table says otherwise.
        return row | {"status": "pending" if entry is None else "reverted by alembic"}
    if entry is None:
        # Where nobody may see who it was, it need not have been alembic.
        return row | {"status": "applied" if hidden else "applied by alembic"}
    return row | {
        "status": str(entry.status),
        "applied_at": _time(entry.finished_at),
        "milliseconds": entry.milliseconds,
        "by": entry.by,
        "git_commit": entry.git_commit,
        "tool_version": entry.tool_version,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.isoformat()}Z"


def _event(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "run_id": entry.run_id,
        "revision": entry.revision,
        "direction": entry.direction,
        "status": str(entry.status),
        "started_at": _time(entry.started_at),
        "finished_at": _time(entry.finished_at),
        "milliseconds": entry.milliseconds,
        "by": entry.by,
        "database_user": entry.database_user,
        "os_user": entry.os_user,
        "host": entry.host,
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
            row["revision"],
            row["status"] or "",
            (row["applied_at"] or "").replace("T", " "),
            _took(row["milliseconds"]),
            row["by"] or "",
            _with(row["tool_version"], row["git_commit"]),
            row["message"],
        )
        for row in rows
    )
    return Table(("revision", "status", "at", "took", "by", "with", "message"), cells)


def _events(seen: Observed) -> Table:
    cells = tuple(
        (
            (_time(entry.started_at) or "").replace("T", " "),
            entry.revision,
            entry.direction or "",
            str(entry.status),
            _took(entry.milliseconds),
            entry.by,
            _with(entry.tool_version, entry.git_commit),
            entry.reason or entry.error or "",
        )
        for entry in seen.history
    )
    return Table(("at", "revision", "", "status", "took", "by", "with", "why"), cells)


def _took(milliseconds: int | None) -> str:
    return "" if milliseconds is None else f"{milliseconds} ms"


def _with(tool_version: str | None, git_commit: str | None) -> str:
    """Return the release of topchef-db and the commit of the project, as a table has room for."""
    return " at ".join(filter(None, (tool_version, (git_commit or "")[:10])))


@click.argument("range_", metavar="[RANGE]", required=False, type=options.REVISION)
@click.option("--events", is_flag=True, help="Show every row of the history, oldest first.")
@click.option("--drop", is_flag=True, help="Remove our tables; the report holds their rows.")
def history_command(project: Project, *, range_: str | None, **arguments: bool) -> Report:
    """Hand the options to `history`."""
    return history(project, range_, **arguments)


COMMAND = options.command(
    epilog="""
    topchef-db history
    topchef-db history ae10:head --format json
    topchef-db history --events
    topchef-db history --drop -o history.json --format json
    """
)(history_command)
