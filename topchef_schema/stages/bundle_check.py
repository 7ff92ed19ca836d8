"""Is a bundle intact, and still what the revisions say? It is made again and compared, never run.

The checksums tell what has decayed: who can change a file can change its checksum, too. That a
script is what the revisions say is told by making it again.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.timeouts import Limits
from topchef_schema.errors import HistoryError, MigrationError, UsageError
from topchef_schema.model import Finding, Severity
from topchef_schema.stages.bundle import PLAN, SCHEMA, Order, Part, folder_of, part, terms_of
from topchef_schema.stages.bundle_folder import SUMS, Folder

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.observe import Observed


@dataclass(frozen=True)
class Compared:
    """A part of a bundle that was compared; *now* is None where it cannot be made again."""

    folder: str
    path: str
    backend: str
    now: Part | None
    findings: tuple[Finding, ...]


def verified(
    project: Project, folder: Folder, on: Mapping[str, str], only: Sequence[str] | None = None
) -> list[Compared]:
    """Compare each part of a bundle, or *only* these, with what the project says now.

    *on* says where scratch databases of a backend are made. Raises `UnreachableError` where a
    revision needs a server and there is none, `UsageError` for a bundle of another version.
    """
    damaged = dict(folder.damaged())
    found = []
    for each in folder.parts if only is None else only:
        said = [
            _damaged(folder, each, name, what)
            for name, what in damaged.items()
            if name.startswith(each + "/")
        ]
        found.append(_compared(project, folder, each, on, said))
    return found


def held(project: Project, folder: Folder, seen: Sequence[Observed]) -> list[Compared]:
    """Compare the parts of a bundle that are for the databases *seen*, and where these are."""
    parts = [folder_of(each.backend, each.name) for each in seen]
    wanted = list(dict.fromkeys(parts))
    for each in wanted:
        if each not in folder.parts:
            raise UsageError(
                f"the bundle has no script for this database: there is no {each}",
                where=str(folder.path),
                hint="it has " + ", ".join(folder.parts),
            )
    compared = {each.folder: each for each in verified(project, folder, {}, wanted)}
    for name, one in zip(parts, seen, strict=True):
        found = compared[name]
        if found.now is not None:
            elsewhere = tuple(_elsewhere(found.now, one))
            compared[name] = replace(found, findings=(*found.findings, *elsewhere))
    return list(compared.values())


def _elsewhere(part_: Part, seen: Observed) -> Iterator[Finding]:
    """Yield that a database is neither where the bundle goes on from, nor where it leads."""
    start, end = sorted(part_.order.steps.start), list(part_.end)
    there = sorted(seen.heads)
    if there in (start, end):
        return
    yield Finding(
        rule="bundle-elsewhere",
        severity=Severity.ERROR,
        message="the database is not where the bundle goes on from",
        help="bring it there first, or write a bundle that goes on from here",
        backend=seen.backend,
        object=seen.label,
        before=", ".join(start) or "base",
        after=", ".join(there) or "base",
    )


def _compared(
    project: Project, folder: Folder, part_: str, on: Mapping[str, str], damaged: list[Finding]
) -> Compared:
    backend, path = part_.partition("/")[0], Path(folder.path, part_).as_posix()
    plan = folder.files.get(f"{part_}/{PLAN}")
    try:
        written = _plan(plan)
    except (ValueError, KeyError, TypeError, RecursionError):
        if not damaged:
            raise _unreadable(folder, part_) from None
        return Compared(part_, path, backend, None, tuple(damaged))
    try:
        now = _again(project, part_, written, on.get(backend, backend))
    except (UsageError, HistoryError, MigrationError) as error:
        message = f"it cannot be made again: {error.message}"
        stale = _stale(folder, part_, PLAN, written, message)
        return Compared(part_, path, backend, None, (*damaged, stale))
    broken = {each.object for each in damaged}
    moved = [
        finding
        for name, text in now.again.items()
        if f"{part_}/{name}" not in broken
        for finding in _moved(folder, part_, name, written, text)
    ]
    return Compared(part_, path, backend, now, (*damaged, *moved))


def _again(project: Project, part_: str, written: Mapping[str, Any], on: str) -> Part:
    """Make a part again; raises `UsageError` where the project has no such database."""
    if written["database"] not in project.databases:
        raise UsageError(
            f"the project has no database {written['database']}",
            where="setting databases",
            hint="write the bundle again",
        )
    order = Order.of(project, written["range"], terms_of(written["options"]))
    return part(order, on, written["database"])


def _plan(content: bytes | None) -> dict[str, Any]:
    """Return what is needed of a plan; raises `ValueError`, `KeyError` or `TypeError`."""
    found = json.loads(content or b"")
    if found["schema"] != SCHEMA:
        raise ValueError(found["schema"])
    options = found["options"]
    for each in ("history", "ddl_lock_timeout", "statement_timeout"):
        if not isinstance(options[each], bool | int | float | None):
            raise TypeError(each)
    if not isinstance(found["database"], str | None):
        raise TypeError("database")
    return {"range": str(found["range"]), "database": found["database"], "options": options}


def _unreadable(folder: Folder, part_: str) -> UsageError:
    return UsageError(
        f"{PLAN} is not one of this version of topchef-db",
        where=str(folder.path / part_ / PLAN),
        hint="use the version that wrote it, or write the bundle again: topchef-db sql --bundle",
    )


def _moved(
    folder: Folder, part_: str, name: str, written: Mapping[str, Any], text: str
) -> Iterator[Finding]:
    """Yield what differs first between a file of the bundle and *text*, if anything does."""
    now = text.encode(errors="backslashreplace")
    then = folder.files.get(f"{part_}/{name}")
    if then is None or then == now:
        return
    lines = zip_longest(then.split(b"\n"), now.split(b"\n"))
    for number, (old, new) in enumerate(lines, 1):
        if old != new:
            yield _stale(
                folder,
                part_,
                name,
                written,
                "it is not what the revisions say now",
                line=number,
                before=_line(old),
                after=_line(new),
            )
            return


def _line(content: bytes | None) -> str:
    return "no line" if content is None else content.decode(errors="backslashreplace")


def _damaged(folder: Folder, part_: str, name: str, what: str) -> Finding:
    return Finding(
        rule="bundle-damaged",
        severity=Severity.ERROR,
        message=f"a file of the bundle {what}",
        help=f"bring it back, or write the bundle again; {SUMS} says what it was",
        backend=part_.partition("/")[0],
        object=name,
        path=str(Path(folder.path, name)),
    )


def _stale(
    folder: Folder,
    part_: str,
    name: str,
    written: Mapping[str, Any],
    message: str,
    *,
    line: int | None = None,
    before: str | None = None,
    after: str | None = None,
) -> Finding:
    again = shlex.join(["topchef-db", "sql", written["range"], *_options(folder, written)])
    return Finding(
        rule="bundle-stale",
        severity=Severity.ERROR,
        message=message,
        help=f"look at what changed, and write the bundle again: {again}",
        backend=part_.partition("/")[0],
        object=f"{part_}/{name}",
        before=before,
        after=after,
        path=str(Path(folder.path, part_, name)),
        line=line,
    )


def _options(folder: Folder, written: Mapping[str, Any]) -> Iterator[str]:
    """Yield the options that the bundle was written with."""
    for each in dict.fromkeys(each.partition("/")[0] for each in folder.parts):
        yield from ("--on", each)
    options = written["options"]
    if not options["history"]:
        yield "--no-history"
    if options["ddl_lock_timeout"] != Limits().ddl_lock:
        yield from ("--ddl-lock-timeout", str(options["ddl_lock_timeout"] or 0))
    if options["statement_timeout"]:
        yield from ("--statement-timeout", str(options["statement_timeout"]))
    yield from ("--bundle", str(folder.path))
