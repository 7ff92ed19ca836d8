"""What a script writes into our own tables: the same as a run of ours, as far as a script knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from topchef_schema.model import SCRIPT_RUN, Direction, HistoryStatus, Revision, Step
from topchef_schema.stages.journal import journal_table
from topchef_schema.stages.ledger import history_table
from topchef_schema.stages.recorded import ONE_REVISION

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Table

    from topchef_schema.backends.scripting import Scripting
    from topchef_schema.stages.fingerprints import Fingerprints

_FIRST = 4
"""So many values of a row stand in its first line."""

_ENDS = {Direction.UP: HistoryStatus.APPLIED, Direction.DOWN: HistoryStatus.REVERTED}


@dataclass(frozen=True)
class ScriptRows:
    """Writes the rows of one script; *digest* tells it from others. *schema* is the tables'."""

    dialect: Dialect
    words: Scripting
    schema: str | None
    digest: str
    fingerprints: Fingerprints

    @property
    def journal(self) -> str:
        """The quoted name of the journal."""
        return self._name(journal_table(self.schema))

    @property
    def unfinished(self) -> str:
        """Asks for the first revision that was begun and not finished, as `journal.read` does."""
        ends = ", ".join(self.words.text(str(each)) for each in sorted(ONE_REVISION))
        return (
            f"SELECT MIN(j.revision) AS found FROM {self.journal} j WHERE NOT EXISTS (SELECT 1\n"
            f"    FROM {self._name(history_table(self.schema))} h WHERE h.run_id = j.run_id\n"
            "    AND h.revision = j.revision AND h.direction = j.direction\n"
            f"    AND h.status IN ({ends}))"
        )

    def history_made(self) -> str:
        """Return what makes the history where it is missing."""
        return self._made(history_table(self.schema))

    def journal_made(self) -> str:
        """Return what makes the journal where it is missing."""
        return self._made(journal_table(self.schema))

    def started(self, step: Step) -> list[str]:
        """Return what says, before its first statement, that a step was begun.

        The row of the journal is what stops the next run, or script.
        """
        entry = {
            "revision": self.words.text(step.revision.id),
            "position": "0",
            "run_id": self.words.text(self.run_id),
            "direction": self.words.text(str(step.direction)),
            "fingerprint": self.words.text(self.run_id),
            "alone": "false",
            "sql": self.words.text("(a script of topchef-db sql)"),
        }
        return [
            self._history(step, HistoryStatus.STARTED, finished="NULL"),
            self._inserted(journal_table(self.schema), entry),
        ]

    def finished(self, step: Step) -> str:
        """Return what says that a step was taken."""
        return self._history(step, _ENDS[step.direction], finished=self.words.now)

    def no_longer_open(self, revision: Revision) -> str:
        """Return what takes its row out of the journal."""
        column = self.dialect.identifier_preparer.quote("revision")
        return f"DELETE FROM {self.journal} WHERE {column} = {self.words.text(revision.id)}"

    @property
    def run_id(self) -> str:
        """What the script is called in the history: the same wherever it is run."""
        return f"{SCRIPT_RUN}{self.digest[:24]}"

    def _history(self, step: Step, status: HistoryStatus, *, finished: str) -> str:
        mark = self.fingerprints(step.revision.path)
        return self._inserted(
            history_table(self.schema),
            {
                "run_id": self.words.text(self.run_id),
                "revision": self.words.text(step.revision.id),
                "direction": self.words.text(str(step.direction)),
                "status": self.words.text(str(status)),
                "started_at": self.words.now,
                "finished_at": finished,
                "database_user": self.words.user,
                "file_sha256": "NULL" if mark is None else self.words.text(mark),
            },
        )

    def _inserted(self, table: Table, values: Mapping[str, str]) -> str:
        columns = ", ".join(map(self._quoted, values))
        given = list(values.values())
        first, rest = ", ".join(given[:_FIRST]), ", ".join(given[_FIRST:])
        return (
            f"INSERT INTO {self._name(table)}\n    ({columns})\n    VALUES ({first},\n    {rest})"
        )

    @cached_property
    def _quoted(self) -> Callable[[str], str]:
        return lru_cache(self.dialect.identifier_preparer.quote)

    def _made(self, table: Table) -> str:
        from topchef_schema.bridge.own_statement import table_made

        return table_made(table, self.dialect, if_not_exists=True)

    def _name(self, table: Table) -> str:
        return self.dialect.identifier_preparer.format_table(table)
