"""Notices a revision whose file is no more what this database was given, and settles it."""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.errors import ChangedFileError
from topchef_schema.model import Finding, HistoryEntry, HistoryStatus, Revision, Severity
from topchef_schema.model.file_fingerprint import does_the_same, source_of, with_plain_ends
from topchef_schema.project import Project
from topchef_schema.stages import observe, run_history
from topchef_schema.stages.entry import Entry, Target

if TYPE_CHECKING:
    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.observe import Observed

log = logging.getLogger(__name__)

LOCK_TIMEOUT = 300.0
"""Seconds to wait for another migrator."""

LONGEST_DIFF = 200
"""Lines of a difference that are shown."""

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_VOUCHED = {
    HistoryStatus.APPLIED,
    HistoryStatus.STAMPED,
    HistoryStatus.BASELINED,
    HistoryStatus.REPAIRED,
    HistoryStatus.ACCEPTED,
}


@dataclass(frozen=True)
class ChangedFile:
    """An applied revision whose file does something else now; *entry* tells of what was applied."""

    revision: Revision
    entry: HistoryEntry

    @property
    def message(self) -> str:
        """What a finding says."""
        how = "applied" if self.entry.status is HistoryStatus.APPLIED else str(self.entry.status)
        return f"its file has changed since it was {how} {self.entry.origin}"

    @cached_property
    def diff(self) -> tuple[str, ...]:
        """The difference in lines; none where git does not have what was applied."""
        before, after = self._recorded_source(), source_of(self.revision.path)
        if before is None or after is None:
            return ()
        commit = (self.entry.git_commit or "")[:12]
        names = f"{self.revision.path} ({commit})", self.revision.path
        return tuple(unified_diff(_lines(before), _lines(after), *names, lineterm=""))

    @property
    def line(self) -> int | None:
        """The first line of the file that is not what it was."""
        for each in self.diff:
            if found := re.match(r"@@ -\S+ \+(\d+)", each):
                start = int(found[1])
                changed = self.diff[self.diff.index(each) + 1 :]
                return start + next(n for n, one in enumerate(changed) if one[:1] in "+-")
        return None

    def _recorded_source(self) -> bytes | None:
        """Return what was applied, as far as git has it: the folder may have been at work on."""
        path = Path(self.revision.path).absolute()
        if self.entry.git_commit is None or not _COMMIT.fullmatch(self.entry.git_commit):
            return None
        name = f"{self.entry.git_commit}:./{path.name}"
        command = ["git", "-C", str(path.parent), "cat-file", "blob", name]
        try:
            done = subprocess.run(command, capture_output=True, timeout=5, check=False)
        except (OSError, subprocess.SubprocessError):
            return None
        source = with_plain_ends(done.stdout)
        known = done.returncode == 0 and does_the_same(source, self.entry.file_sha256 or "")
        return source if known else None


def changed_files(project: Project, seen: Observed) -> tuple[ChangedFile, ...]:
    """Return what has changed of the revisions that *seen*, looked at with its history, has.

    The last row of a revision decides; one that the history does not tell of is left out.
    """
    rows: dict[str, HistoryEntry] = {}
    for entry in seen.history:
        if entry.takes_away:
            rows.pop(entry.revision, None)
        elif entry.status in _VOUCHED:
            rows[entry.revision] = entry
    there = project.revisions.applied_at(seen.heads) if rows else set()
    return tuple(
        ChangedFile(revision, rows[revision.id])
        for revision in project.revisions.all
        if revision.id in there and revision.id in rows and _differs(revision, rows[revision.id])
    )


def _differs(revision: Revision, entry: HistoryEntry) -> bool:
    source = source_of(revision.path)
    if source is None or entry.file_sha256 is None:
        return False
    return not does_the_same(source, entry.file_sha256)


def findings(project: Project, seen: Sequence[Observed]) -> Mapping[str, tuple[Finding, ...]]:
    """Return a finding for each changed file, by the label of the database.

    Each is also a warning on stderr, with the difference; what tenants have in common is said once.
    """
    found, said = {}, set()
    for database in seen:
        changed = changed_files(project, database)
        found[database.label] = tuple(_finding(each, database) for each in changed)
        for each in changed:
            text = "\n".join((f"{each.revision.path}: {each.message}", *_shown(each.diff)))
            if text not in said:
                facts = {"revision": each.revision.id, "backend": database.backend}
                log.warning("%s", text, extra=facts)
            said.add(text)
    return found


def checked(project: Project, seen: Sequence[Observed]) -> Mapping[str, tuple[Finding, ...]]:
    """Return the `findings` of each database before anything is written to one.

    Also tells of moves that have no row. Raises `ChangedFileError` with ``changed_files =
    "refuse"``.
    """
    found = findings(project, seen)
    for each in seen:
        if moves := observe.unrecorded(project, each):
            log.info("%s: moved without a row in topchef_history: %s", each.label, moves)
    changed = {one.revision: one.path for each in found.values() for one in each}
    if changed and project.settings.changed_files == "refuse":
        named = " ".join(f"--accept {each}" for each in changed)
        raise ChangedFileError(
            f"the files of applied revisions have changed: {', '.join(map(str, changed))}",
            where=", ".join(map(str, changed.values())),
            hint="put back what was applied and write a new revision for the change; or accept "
            f'it: topchef-db upgrade {named} --reason "why it does not matter"',
        )
    return found


def accept(project: Project, revisions: Collection[Revision], reason: str) -> None:
    """Write into the history that the files of *revisions* are right as they are now.

    Where nothing has changed, nothing is written.
    """

    def body(session: Session, target: Target) -> None:
        seen = observe.within(session, target, history=True)
        connection = session.connection
        ledger = run_history.of_database(project, session, target)
        for revision in _accepted(project, revisions, seen):
            ledger.write(connection, revision, HistoryStatus.ACCEPTED, reason=reason)
            log.info("%s is accepted as it is", revision.path, extra={"revision": revision.id})
        session.commit()

    if any(
        _accepted(project, revisions, each) for each in observe.databases(project, history=True)
    ):
        Entry(project, lock_timeout=ACCEPT_TIMEOUT).run(body)


ACCEPT_TIMEOUT = 300.0
"""Seconds to wait for another migrator."""


def _accepted(
    project: Project, revisions: Collection[Revision], seen: Observed
) -> tuple[Revision, ...]:
    changed = {each.revision for each in changed_files(project, seen)}
    return tuple(each for each in revisions if each in changed)


def _finding(changed: ChangedFile, seen: Observed) -> Finding:
    removed, added = (
        "\n".join(each[1:] for each in changed.diff[2:] if each.startswith(sign)) or None
        for sign in "-+"
    )
    return Finding(
        rule="changed-file",
        severity=Severity.WARNING,
        message=changed.message,
        help="put back what was applied and write a new revision for the change, or accept it: "
        f"topchef-db upgrade --accept {changed.revision.id} --reason TEXT",
        backend=seen.backend,
        revision=changed.revision.id,
        before=removed,
        after=added,
        path=changed.revision.path,
        line=changed.line,
    )


def _shown(diff: Sequence[str]) -> Sequence[str]:
    if len(diff) <= LONGEST_DIFF:
        return diff
    return [*diff[:LONGEST_DIFF], f"... and {len(diff) - LONGEST_DIFF} more lines"]


def _lines(source: bytes) -> list[str]:
    return source.decode("utf-8", "replace").splitlines()
