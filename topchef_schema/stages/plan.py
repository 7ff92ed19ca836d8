"""Which revisions does a call mean, and which steps are they? Nothing is touched."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.errors import HistoryError, UsageError
from topchef_schema.model import Direction, Plan, Revision, Step

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.observe import Observed

Planner = Callable[["tuple[str, ...]"], Plan]
"""Finds the steps from the heads of a database."""


def chosen(project: Project, range_: str | None, since: str | None = None) -> tuple[Revision, ...]:
    """Return the revisions of *range_*, or those whose files were added since a git commit.

    In an order in which they can be applied. Raises `UsageError` for both at once, and for a
    commit that git does not know.
    """
    if since is None:
        return project.revisions.between(range_)
    if range_ is not None:
        raise UsageError(
            "a range and --since are given", where=f"range {range_}", hint="give one of them"
        )
    added = _added_since(since, Path(project.revisions.directory.dir))
    return tuple(each for each in project.revisions.all if Path(each.path).resolve() in added)


def unmoved(plan: Planner, seen: Sequence[Observed]) -> Planner:
    """Return *plan*, but raising `HistoryError` for a database that is not where it was *seen*.

    Under the lock, it is asked again: what was looked at before must be what is done.
    """
    known = {each.heads for each in seen}

    def same(heads: tuple[str, ...]) -> Plan:
        found = plan(heads)
        if found.steps and heads not in known:
            raise HistoryError(
                f"the database has moved since it was looked at, to {', '.join(heads) or 'base'}",
                where="another migrator, or a stamp",
                hint="look again: run the same command again",
            )
        return found

    return same


def scripted(project: Project, range_: str | None, since: str | None, *, down: bool) -> Plan:
    """Return the steps of a range, up or *down*; on the way down its ends stand in either order."""
    revisions = project.revisions
    lower: tuple[str, ...] | None = None
    upper: tuple[str, ...] | None = None
    if since is None and range_ is not None and ":" in range_:
        if down:
            range_ = revisions.lower_first(*range_.split(":", 1))
        lower, upper = revisions.rows_at(range_)
    found = chosen(project, range_, since)
    if down:
        revisions.require_way_back(found)
        steps = tuple(Step(each, Direction.DOWN) for each in reversed(found))
        return Plan(steps, revisions.heads_of(found) if upper is None else upper)
    steps = tuple(Step(each, Direction.UP) for each in found)
    return Plan(steps, revisions.heads_below(found) if lower is None else lower)


def way_back(project: Project, steps: Plan) -> Plan:
    """Return the steps that take *steps* back.

    Raises `MigrationError` where one of them has no downgrade function.
    """
    from topchef_schema.bridge.steps import heads_along

    revisions = tuple(each.revision for each in steps)
    project.revisions.require_way_back(revisions)
    back = tuple(Step(each, Direction.DOWN) for each in reversed(revisions))
    return Plan(back, tuple(sorted(list(heads_along(project.revisions, steps))[-1])))


def _added_since(commit: str, folder: Path) -> set[Path]:
    """Return the files below the repository of *folder* that *commit* did not have."""
    top = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    added = _git(
        top, "diff", "-z", "--name-only", "--diff-filter=AR", "--end-of-options", commit, "--"
    )
    new = _git(top, "ls-files", "-z", "--others", "--exclude-standard")
    return {(top / name).resolve() for name in (added + new).split("\0") if name}


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
    except OSError:
        raise UsageError(
            "git is not installed", where="--since", hint="install git, or give a RANGE"
        ) from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or ["git failed"]
        raise UsageError(
            f"git does not know what was added: {said[0].removeprefix('fatal: ')}",
            where="--since",
            hint="name a commit, branch or tag of the repository that the revisions are in",
        ) from None
    return done.stdout
