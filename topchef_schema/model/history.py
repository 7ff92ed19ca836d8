"""What is remembered of every move of a database: the rows of `topchef_history`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from topchef_schema.model.revision import Direction

HISTORY_TABLE = "topchef_history"
JOURNAL_TABLE = "topchef_journal"
DOCUMENTS_TABLE = "topchef_documents"

OWN_TABLES = frozenset({HISTORY_TABLE, JOURNAL_TABLE, DOCUMENTS_TABLE})
"""The tables that are ours beside Alembic's version table: they are in no revision."""


SCRIPT_RUN = "script-"
"""Begins the run id of what a script of ``topchef-db sql`` did; the rest tells which one."""


class HistoryStatus(StrEnum):
    """What happened to a revision."""

    STARTED = "started"
    APPLIED = "applied"
    REVERTED = "reverted"
    FAILED = "failed"
    STAMPED = "stamped"
    BASELINED = "baselined"
    REPAIRED = "repaired"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One row of the history. Times are UTC; *milliseconds* is the duration of the step.

    *file_sha256* is the fingerprint of the revision's file, see `model.file_fingerprint`.
    """

    run_id: str
    revision: str
    direction: Direction | None
    status: HistoryStatus
    started_at: datetime
    finished_at: datetime | None = None
    milliseconds: int | None = None
    database_user: str | None = None
    os_user: str | None = None
    host: str | None = None
    tool_version: str | None = None
    git_commit: str | None = None
    file_sha256: str | None = None
    reason: str | None = None
    error: str | None = None

    @property
    def takes_away(self) -> bool:
        """Whether the database has the revision no more after this."""
        by_hand = self.status in {HistoryStatus.STAMPED, HistoryStatus.REPAIRED}
        return self.status is HistoryStatus.REVERTED or (
            by_hand and self.direction is Direction.DOWN
        )

    @property
    def origin(self) -> str:
        """When it was, and from which commit: ``on 2026-11-23 09:01:14Z from git commit …``."""
        text = f"on {(self.finished_at or self.started_at):%Y-%m-%d %H:%M:%S}Z"
        return f"{text} from git commit {self.git_commit}" if self.git_commit else text

    @property
    def by(self) -> str:
        """Who it was, and where: ``deploy@host as database_user``; a script knows no more."""
        place = "@".join(filter(None, (self.os_user, self.host)))
        if self.run_id.startswith(SCRIPT_RUN):
            place = "a script"
        return place + (f" as {self.database_user}" if self.database_user else "")
