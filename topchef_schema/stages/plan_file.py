"""Does a plan that was kept in a file still say what would run? It is compared, never run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topchef_schema.errors import UsageError
from topchef_schema.model import Finding, Severity, short, without_values

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.forecast import Forecast, Foreseen
    from topchef_schema.stages.plan import Planner


@dataclass(frozen=True, slots=True)
class Planned:
    """What ``topchef-db plan --format json`` has written; *revision* is the argument it got."""

    path: str
    revision: str
    plans: Sequence[Mapping[str, Any]]

    def require(self, revision: str) -> str:
        """Return the argument of the plan; raises `UsageError` where *revision* is another one."""
        if revision not in ("heads", self.revision):
            raise UsageError(
                f'the plan is one to "{self.revision}", not to "{revision}"',
                where=f"--plan {self.path}",
                hint="leave the revision out: the plan has it",
            )
        return self.revision


def read(path: str | os.PathLike[str]) -> Planned:
    """Read a plan; raises `UsageError` for a file that holds none, or one of another version."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise _unusable(path, f"the plan cannot be read: {reason}") from None
    except ValueError:
        raise _unusable(path, "the plan is not JSON") from None
    found = document if isinstance(document, dict) else {}
    if found.get("command") != "plan" or found.get("schema") != 1:
        raise _unusable(path, "this is no report of topchef-db plan, or of another version")
    data: Any = found.get("data")
    try:
        planned = Planned(str(path), str(data["revision"]), [dict(each) for each in data["plans"]])
        for each in planned.plans:
            [(step["revision"], _sql(step)) for step in each["steps"]]
            [each[key] for key in ("database", "backend", "current", "pending")]
    except (KeyError, TypeError, ValueError):
        raise _unusable(path, "this report of topchef-db plan holds no plan") from None
    return planned


def _unusable(path: str | os.PathLike[str], message: str) -> UsageError:
    return UsageError(
        message, where=f"--plan {path}", hint="write one: topchef-db plan --format json -o FILE"
    )


def _sql(step: Mapping[str, Any]) -> list[str]:
    return [str(each["sql"]) for each in step["statements"]]


def compared(
    project: Project, planned: Planned, plan: Planner
) -> tuple[Sequence[Forecast], tuple[Finding, ...]]:
    """Return what would run now, and what in it is not as it was planned: an error each.

    It is recorded twice where statements differ: a value that is another one each time, such as a
    time or a random number, may differ from the plan's, too.
    """
    from topchef_schema.stages.forecast import forecasts

    now = forecasts(project, plan)
    found = _all_moved(planned, now, now)
    if any(each.revision is not None for each in found):
        found = _all_moved(planned, now, forecasts(project, plan))
    return now, found


def _all_moved(
    planned: Planned, now: Sequence[Forecast], again: Sequence[Forecast]
) -> tuple[Finding, ...]:
    names = [each["database"] for each in planned.plans]
    if names != [each.seen.name for each in now]:
        return (_finding("the databases are not those of the plan", None, names, now),)
    triples = zip(planned.plans, now, again, strict=True)
    return tuple(found for each in triples for found in _moved(*each))


def _moved(then: Mapping[str, Any], now: Forecast, again: Forecast) -> Iterator[Finding]:
    facts = {
        "backend": now.seen.backend,
        "current": list(now.seen.heads),
        "pending": [step.revision.id for step in now.plan],
    }
    words = {
        "backend": "the plan is for another kind of database",
        "current": "the database is not where it was when the plan was made",
        "pending": "other revisions are pending than those of the plan",
    }
    for key, value in facts.items():
        if then[key] != value:
            yield _finding(words[key], now, then[key], value)
    steps = {each.section.step.revision.id: each for each in now.steps}
    further = {each.section.step.revision.id: each for each in again.steps}
    for step in then["steps"]:
        found = steps.get(step["revision"])
        if found is not None:
            yield from _rewritten(step, found, further[step["revision"]], now)


def _rewritten(
    then: Mapping[str, Any], now: Foreseen, again: Foreseen, where: Forecast
) -> Iterator[Finding]:
    old, new = _sql(then), _statements(now)
    for one, other, same in zip(old, new, _statements(again), strict=False):
        varies = other != same and without_values(one) == without_values(other)
        if one != other and not varies:
            yield _finding("a statement is not that of the plan", where, one, other, now)
            return
    if len(old) != len(new):
        counts = (f"{len(old)} statements", f"{len(new)} statements")
        yield _finding("there are not as many statements as in the plan", where, *counts, now)


def _statements(step: Foreseen) -> list[str]:
    return [each.statement.sql for each in step.statements]


def _finding(
    message: str,
    where: Forecast | None,
    before: object,
    after: object,
    step: Foreseen | None = None,
) -> Finding:
    revision = None if step is None else step.section.step.revision
    return Finding(
        rule="plan-moved",
        severity=Severity.ERROR,
        message=message,
        help="look at what would run now: topchef-db plan",
        backend=None if where is None else where.seen.backend,
        revision=None if revision is None else revision.id,
        object=None if where is None else where.label,
        before=_shown(before),
        after=_shown(after),
        path=None if revision is None else revision.path,
    )


def _shown(value: object) -> str:
    if isinstance(value, str):
        return short(value)
    several = value if isinstance(value, list | tuple) else [value]
    return ", ".join(map(_name, several)) or "none"


def _name(value: Any) -> str:
    return str(getattr(value, "label", value))
