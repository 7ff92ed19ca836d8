"""What came of the trials as ``docs/compatibility.md``, and whether that page still says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from compat.description import COMMANDS, Description, all_projects
from tests.servers import BACKENDS

if TYPE_CHECKING:
    from compat.trial import Ended, Result

PAGE = Path(__file__).resolve().parent.parent / "docs" / "compatibility.md"

INTRODUCTION = """\
# Compatibility

<!-- Written by `python3 compat/run.py --write`; change `compat/` instead. -->

What topchef-db does on projects that were not written for it, with nothing but the settings shown
here. Each is installed from PyPI into an environment of its own, with topchef_schema beside it, and
every command is run as a process on a real server. `ok` is exit code 0; other codes are what they
have to be there, with what the command says.

**As alembic** compares with `command.upgrade(config, "heads")` and `command.downgrade(config,
"base")` of plain Alembic on the same database, emptied in between: the rows of its version table,
and the [fingerprint](commands.md) of the schema. Where plain Alembic's downgrade fails, the same
revision has to fail, and the same has to be left behind. The script of `sql` is run too, by `psql`
or the driver, and has to build the same as `upgrade`.

The findings of `roundtrip` are bugs of those projects' revisions. `python3 compat/findings.py`
looks for each of MLflow's without roundtrip: plain Alembic goes up to just below the revision, up,
and down again, and `pg_dump`, `SHOW CREATE TABLE` or the text in SQLite's file before and after has
to differ where the finding says, or the downgrade to fail with the same words. All were seen.

`python3 compat/run.py` runs it
all again and fails where anything is not as this page says; the gate does so for some of it.
"""


def write(
    results: Sequence[Result],
    versions: Mapping[str, Mapping[str, str]],
    servers: Mapping[str, str],
) -> None:
    """Write the page; what was not tried now stays as it is there."""
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    projects = list(all_projects())
    parts = [INTRODUCTION, _versions(before, projects, versions, servers)]
    for project in projects:
        now = {each.backend: list(lines(each)) for each in results if each.project == project}
        parts.append(_project(project, _said(before, project) | now))
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def _said(page: str, project: Description) -> dict[str, list[str]]:
    """Return what *page* says of *project*: the lines of each backend that it was tried on."""
    section = page.partition(f"\n## {project.title}\n")[2].partition("\n## ")[0]
    found = {
        backend: [line for line in section.splitlines() if _is_of(line, backend)]
        for backend in project.backends
    }
    return {backend: said for backend, said in found.items() if said}


def stale(results: Iterable[Result]) -> Iterator[str]:
    """Yield where the page says otherwise than *results*."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    for each in results:
        said = _said(text, each.project).get(each.backend, [])
        if said != list(lines(each)):
            yield (
                f"docs/compatibility.md is stale: {each.project.name} on {each.backend}; "
                f"help: python3 compat/run.py --write\n" + "\n".join(_difference(said, each))
            )


def _difference(said: list[str], result: Result) -> Iterator[str]:
    found = list(lines(result))
    yield from (f"  page:  {line}" for line in said if line not in found)
    yield from (f"  found: {line}" for line in found if line not in said)


def _is_of(line: str, backend: str) -> bool:
    return line.startswith((f"| {backend} |", f"- {backend}: "))


def lines(result: Result) -> Iterator[str]:
    """Yield what the page says of one trial: a row, and what stands below the table."""
    cells = [_cell(command, result.ended.get(command)) for command in COMMANDS]
    same = [what for what, is_same in result.same.items() if is_same]
    cells.append(", ".join(same) or "no")
    yield f"| {result.backend} | {' | '.join(cells)} |"
    for command, ended in result.ended.items():
        if ended.exit_code not in (0, 10):
            yield f"- {result.backend}: `{command}`: {_told(ended.message)}"
    yield from _findings(result)


def _cell(command: str, ended: Ended | None) -> str:
    if ended is None:
        return "not run"
    if command == "roundtrip" and ended.exit_code in (0, 10):
        return _proven(ended)
    return "ok" if ended.exit_code == 0 else str(ended.exit_code)


def _proven(ended: Ended) -> str:
    # Those without a revision are of the history as a whole.
    outcomes = [each["outcome"] for each in ended.report["checks"] if each["revision"]]
    proven = [each for each in outcomes if each != "skipped"]
    return f"{proven.count('passed')} of {len(proven)} clean"


def _findings(result: Result) -> Iterator[str]:
    """Yield a line for each rule and revision: its first object, and how many more there are."""
    ended = result.ended.get("roundtrip")
    findings = ended.report.get("findings", ()) if ended else ()
    errors = [each for each in findings if each["severity"] == "error"]
    for (rule, revision), group in groupby(
        errors, key=lambda each: (each["rule"], each["revision"])
    ):
        first, *more = group
        object_ = f", {_told(first['object'])}," if first["object"] else ""
        others = f" (and {len(more)} more)" if more else ""
        yield f"- {result.backend}: `{rule}` {revision}{object_} {_told(first['message'])}{others}"


def _told(message: str) -> str:
    """Return *message* on one line, without what differs from run to run, for Markdown."""
    line = re.sub(r"topchef_scratch_\w+", "scratch", " ".join(message.split()))
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", line)


def _project(project: Description, said: Mapping[str, Sequence[str]]) -> str:
    heading = ["backend", *(f"`{command}`" for command in COMMANDS), "as alembic"]
    table = [f"| {' | '.join(heading)} |", "|" + "---|" * len(heading)]
    below = []
    for backend in project.backends:
        row, *more = said.get(backend, [f"| {backend} |{' not tried |' * (len(heading) - 1)}"])
        table.append(row)
        below += more
    blocks = [f"## {project.title}", _settings(project), "\n".join(table)]
    if below:
        blocks.append("\n".join(below))
    return "\n\n".join(blocks) + "\n"


def _settings(project: Description) -> str:
    """Show the settings file, and what lies beside it."""
    ini = project.settings.read_text(encoding="utf-8").strip()
    files = sorted(
        path.name
        for path in project.folder.iterdir()
        if path.is_file() and path.name not in ("project.toml", "alembic.ini")
    )
    beside = f" Beside it: {', '.join(f'`{name}`' for name in files)}." if files else ""
    return (
        f"[{project.distribution}]({project.about}), settings `compat/{project.name}/alembic.ini`:"
        f"{beside}\n\n```ini\n{ini}\n```"
    )


def _versions(
    page: str,
    projects: Sequence[Description],
    versions: Mapping[str, Mapping[str, str]],
    servers: Mapping[str, str],
) -> str:
    before = page.partition("\n## Versions\n")[2].partition("\n## ")[0]
    rows = ["## Versions", "", "| project | its version | Python | SQLAlchemy | Alembic |"]
    rows.append("|---|---|---|---|---|")
    for project in projects:
        name, found = project.distribution, versions.get(project.name)
        row = _row_of(before, name)
        if found is not None:
            cells = [found[each] for each in (name, "python", "sqlalchemy", "alembic")]
            row = f"| {' | '.join([name, *cells])} |"
        rows.append(row)
    rows += ["", "| server | version |", "|---|---|"]
    for name in BACKENDS:
        rows.append(f"| {name} | {servers[name]} |" if name in servers else _row_of(before, name))
    return "\n".join(rows) + "\n"


def _row_of(page: str, name: str) -> str:
    return next((line for line in page.splitlines() if line.startswith(f"| {name} |")), "")
