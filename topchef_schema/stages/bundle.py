"""A bundle: what a DBA needs to review a range of revisions, run it, and take it back.

A part is made for each backend, and for each database of a project that has several. Both ways
come from the project alone, so that they can be made again and compared; see `bundle_check`.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.timeouts import Limits
from topchef_schema.errors import MigrationError, UsageError
from topchef_schema.model import Plan, Recording, Revision, Section
from topchef_schema.model.file_fingerprint import fingerprint, source_of
from topchef_schema.stages import scratch, script
from topchef_schema.stages.plan import scripted, way_back
from topchef_schema.stages.script_contents import NOT_TOLD, comment, destroyed, heading
from topchef_schema.stages.script_statements import said
from topchef_schema.stages.steady_paths import SteadyPaths
from topchef_schema.stages.written import Written, written

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend
    from topchef_schema.project import Project
    from topchef_schema.stages.script import Terms

SCHEMA = 1
"""The version of ``plan.json``."""

UP, DOWN, PLAN = "up.sql", "down.sql", "plan.json"
BEFORE, AFTER = "schema-before.txt", "schema-after.txt"
HTML, MARKDOWN = "review.html", "review.md"

FILES = (UP, DOWN, PLAN, BEFORE, AFTER, HTML, MARKDOWN)


@dataclass(frozen=True)
class Way:
    """One direction; *why_not* is why its script cannot be written, where it cannot."""

    made: Written
    script: str
    why_not: str | None = None

    @property
    def recording(self) -> Recording:
        """What it was made of."""
        return self.made.recording


@dataclass(frozen=True)
class Order:
    """What a bundle is asked for; *range* is as it was given, *steps* is what it means now."""

    project: Project = field(repr=False)
    range: str
    terms: Terms
    steps: Plan
    steady: SteadyPaths = field(repr=False)

    @classmethod
    def of(cls, project: Project, range_: str, terms: Terms) -> Order:
        """Return the order for *range_*; raises `UsageError` where it means nothing."""
        steps = scripted(project, range_, None, down=False)
        if not steps.steps:
            raise _empty(f"range {range_}")
        return cls(project, range_, terms, steps, SteadyPaths.of(project))

    @property
    def back(self) -> Plan:
        """The way back; raises `MigrationError` where a revision has none.

        Not of the same words: with --down, those of a range are read in another way.
        """
        return way_back(self.project, self.steps)


@dataclass(frozen=True)
class Part:
    """What a bundle holds for one backend, and one database of several.

    *on* is where scratch databases are made.
    """

    order: Order
    backend: Backend
    on: str
    database: str | None
    up: Way
    down: Way

    @property
    def folder(self) -> str:
        """Where it lies in the bundle."""
        return folder_of(self.backend.name, self.database)

    @property
    def end(self) -> tuple[str, ...]:
        """The version rows after the way up."""
        sections = self.up.recording.sections
        return (
            tuple(sorted(sections[-1].heads)) if sections else tuple(sorted(self.order.steps.start))
        )

    @cached_property
    def again(self) -> Mapping[str, str]:
        """The files that are made again to be compared: name → text."""
        return {UP: self.up.script, DOWN: self.down.script, PLAN: self._plan()}

    def _plan(self) -> str:
        document = {
            "schema": SCHEMA,
            "command": "sql --bundle",
            "backend": self.backend.name,
            "database": self.database,
            "range": self.order.range,
            "options": _options(self.order.terms),
            "start": sorted(self.order.steps.start),
            "end": list(self.end),
            "up": self._way(self.up),
            "down": self._way(self.down),
        }
        return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True) + "\n"

    def _way(self, way: Way) -> dict[str, Any]:
        sections = way.recording.sections
        revisions = [self._revision(each) for each in sections]
        return {"why_not": way.why_not, "revisions": revisions}

    def _revision(self, section: Section) -> dict[str, Any]:
        revision = section.step.revision
        steady = self.order.steady
        return {
            "id": revision.id,
            "message": revision.message,
            "path": steady.path(revision.path),
            "fingerprint": fingerprint(source_of(revision.path)),
            "destroys": destroyed(section),
            "depends_on_data": None if section.reason is None else steady.text(section.reason),
            "statements": [
                {
                    "sql": each.statement.sql,
                    "line": each.statement.line,
                    "transaction": not each.outside,
                }
                for each in said(section, self.backend)
            ],
        }


def folder_of(backend: str, database: str | None) -> str:
    """Return the folder of a part; raises `UsageError` for a name that can be none."""
    if database is None:
        return backend
    if not database.replace("_", "").replace("-", "").isalnum() or not database.isascii():
        raise UsageError(
            f'the database "{database}" cannot be a folder of a bundle',
            where="setting databases",
            hint="its name may have letters, digits, - and _; or write its script alone, to a file",
        )
    return f"{backend}/{database}"


def parts(order: Order, on: Sequence[str]) -> list[Part]:
    """Return the parts of a bundle for each backend of *on*, none of them written yet.

    Raises `UsageError` for a backend that is named twice, and what recording the way up raises.
    """
    words = list(on or order.project.backends)
    names = [scratch.resolve(each)[0].name for each in words]
    for each in names:
        if names.count(each) > 1:
            raise UsageError(
                f"{each} is named twice", where="--on", hint="name each kind of database once"
            )
    return [part(order, *each) for each in product(words, order.project.databases)]


def part(order: Order, on: str, database: str | None) -> Part:
    """Return what a bundle holds for the backend of *on* and one *database*."""
    backend, _ = scratch.resolve(on)
    folder_of(backend.name, database)
    up = _way(order, order.steps, on, database)
    return Part(order, backend, on, database, up, _way_back(order, on, database, up.recording))


def given_range(project: Project, range_: str | None, since: str | None) -> str:
    """Return the words for the range of a bundle: a commit is no name that stays.

    Raises `UsageError` where the revisions since a commit are no range.
    """
    if since is None:
        return range_ or "base:heads"
    steps = scripted(project, None, since, down=False)
    revisions = tuple(each.revision for each in steps)
    if not revisions:
        raise _empty(f"--since {since}")
    lower, upper = steps.start, project.revisions.heads_of(revisions)
    if len(lower) < 2 and len(upper) == 1:
        words = f"{lower[0] if lower else 'base'}:{upper[0]}"
        if project.revisions.between(words) == revisions:
            return words
    raise UsageError(
        "the revisions that were added since are not one range",
        where=f"--since {since}",
        hint="give the range for the bundle: FROM:TO",
    )


def _empty(where: str) -> UsageError:
    return UsageError(
        "there is no revision for a bundle",
        where=where,
        hint="topchef-db history lists the revisions",
    )


def _way(
    order: Order, steps: Plan, on: str, database: str | None, up: Recording | None = None
) -> Way:
    """Return one way, with paths that are the same whatever folder one stands in."""
    made = written(order.project, steps, on, database, order.terms, up=up)
    text, sections = made.text, made.recording.sections
    for number, section in enumerate(sections, 1):
        old = heading(section, number, len(sections))
        new = heading(_steady(section, order.steady), number, len(sections))
        if old != new:
            text = text.replace(old, new, 1)
    return Way(made, text)


def _steady(section: Section, steady: SteadyPaths) -> Section:
    revision = section.step.revision
    moved = replace(section.step, revision=replace(revision, path=steady.path(revision.path)))
    reason = None if section.reason is None else steady.text(section.reason)
    return replace(section, step=moved, reason=reason)


def _way_back(order: Order, on: str, database: str | None, up: Recording) -> Way:
    try:
        steps = order.back
        for each in steps:
            _require_no_refusal(each.revision)
        return _way(order, steps, on, database, up)
    except MigrationError as error:
        backend, _ = scratch.resolve(on)
        why = order.steady.text(f"{error.message} ({error.where})")
        none = Written(Recording(backend.name), (), database, ())
        return Way(none, _no_script(backend, why), why)


def destroyed_by(recording: Recording) -> Iterator[str]:
    """Yield what the steps take away or change, each with its revision."""
    for section in recording.sections:
        for each in destroyed(section):
            if each != NOT_TOLD:
                yield f"{section.step.revision.id} {each}"


def _require_no_refusal(revision: Revision) -> None:
    """Raise `MigrationError` where the first thing that the downgrade does is to refuse.

    It is read, not run: to run it takes a server on which the way up was gone.
    """
    source = source_of(revision.path)
    try:
        tree = ast.parse(source or b"")
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "downgrade":
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body and isinstance(body[0], ast.Raise):
                raise MigrationError(
                    f"the downgrade of revision {revision.id} refuses: {_said_by(body[0])}",
                    where=f"{revision.path}:{body[0].lineno}",
                    hint="write the way back by hand, or do without",
                )


def _said_by(refusal: ast.Raise) -> str:
    if isinstance(refusal.exc, ast.Call) and refusal.exc.args:
        first = refusal.exc.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return first.value
    return "it raises" if refusal.exc is None else ast.unparse(refusal.exc)


def _no_script(backend: Backend, why: str) -> str:
    """Return a script that says why there is none, and fails: who runs it is to notice."""
    words = backend.scripting
    text = comment(f"{backend.title}, down: there is no script for the way back.\n\n{why}")
    fails = words.terminated("SELECT * FROM there_is_no_way_back_see_the_comment_above")
    return f"{text}\n\n{words.preamble().rstrip()}\n{fails}\n"


def _options(terms: Terms) -> dict[str, Any]:
    limits = terms.limits
    return {
        "history": terms.history,
        "ddl_lock_timeout": limits.ddl_lock,
        "statement_timeout": limits.statement,
    }


def terms_of(options: Mapping[str, Any]) -> Terms:
    """Return the terms that a plan was written with."""
    wait, longest = options["ddl_lock_timeout"], options["statement_timeout"]
    return script.Terms(Limits(wait, longest, 0), bool(options["history"]))
