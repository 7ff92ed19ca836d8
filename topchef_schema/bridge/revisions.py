"""Alembic's script directory as our revisions, and its words for them as plans."""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from topchef_schema.errors import HistoryError, MigrationError, TopchefError, UsageError
from topchef_schema.model import Direction, Environment, Plan, Revision, Step

if TYPE_CHECKING:
    from alembic.runtime.migration import RevisionStep
    from alembic.script import Script, ScriptDirectory

_RELATIVE = re.compile(r"(?P<start>.+?)(?P<steps>[+-]\d+)")


class Revisions:
    """The revisions of a project. All look-ups raise `UsageError` or `HistoryError`."""

    def __init__(self, directory: ScriptDirectory) -> None:
        self.directory = directory

    @classmethod
    def load(cls, environment: Environment) -> Revisions:
        """Read every revision file; raises `UsageError` naming the file that cannot be read."""
        from alembic.script import ScriptDirectory

        from topchef_schema.bridge.configuration import alembic_config, output_to_stderr

        with explained(environment.config_file):
            config = alembic_config(environment)
            directory = ScriptDirectory.from_config(config)
        where = shown_path(directory.dir)
        with readable(where), output_to_stderr(), warnings.catch_warnings():
            # Alembic warns, and goes on with one of the two files.
            warnings.filterwarnings("error", "Revision .* is present more than once")
            warnings.filterwarnings("error", "Revision .* is not present")
            # The map is read lazily; a broken file is to be found now, before anything is done.
            directory.revision_map._revision_map  # noqa: B018
        return cls(directory)

    @cached_property
    def all(self) -> tuple[Revision, ...]:
        """All revisions, in an order in which they can be applied."""
        with explained(self.directory.dir):
            return tuple(
                revision_of(script) for script in reversed(list(self.directory.walk_revisions()))
            )

    @property
    def heads(self) -> tuple[str, ...]:
        """The ids of the revisions that no other one follows, in order of their ids."""
        return tuple(sorted(self.directory.get_heads()))

    @property
    def bases(self) -> tuple[str, ...]:
        """The ids of the revisions that follow no other."""
        return tuple(sorted(self.directory.get_bases()))

    @property
    def applied_heads(self) -> frozenset[str]:
        """What the version table holds when everything is applied.

        A head that another head depends on has no row of its own there.
        """
        return frozenset(self.directory.get_heads(consider_depends_on=True))

    def get(self, argument: str) -> tuple[Revision, ...]:
        """Return the revisions that *argument* (an id, part of one, a label, ``head`` …) names."""
        with explained(argument):
            if relative := _RELATIVE.fullmatch(argument):
                return self._walk(argument, relative["start"], int(relative["steps"]))
            if argument.endswith("@base"):
                self._require_branch(argument)
            scripts = self.directory.get_revisions(argument)
        return tuple(revision_of(script) for script in scripts if script is not None)

    def _walk(self, argument: str, start: str, steps: int) -> tuple[Revision, ...]:
        """Return what lies *steps* above *start* (below it, where they are negative), or base."""
        label = start.partition("@")[0] if "@" in start else None
        if start.endswith("@") and steps < 0:
            start += "head"
        reached = self.directory.revision_map._walk(self.one(start).id, steps, label)
        if reached is None:
            raise UsageError(
                f'"{argument}" lies beyond the revisions that there are',
                where=f"revision argument {argument}",
                hint="topchef-db history lists the revisions",
            )
        # Alembic's word for what lies below the first revision.
        return () if isinstance(reached, str) else (self.one(reached.revision),)

    def one(self, argument: str) -> Revision:
        """Return the one revision that *argument* names."""
        found = self.get(argument)
        if len(found) != 1:
            raise UsageError(
                f'"{argument}" names {len(found)} revisions',
                where=self.directory.dir,
                hint="name one: " + (", ".join(each.id for each in found) or "there are none yet"),
            )
        return found[0]

    def script(self, revision: str) -> Script:
        """Return Alembic's own object for the full id *revision*."""
        with explained(revision):
            return self.directory.get_revision(revision)

    def known(self, revision: str) -> bool:
        """Whether *revision* is the full id of a revision of this project."""
        return revision in self._by_id

    @cached_property
    def _by_id(self) -> dict[str, Revision]:
        return {each.id: each for each in self.all}

    def require_known(self, heads: tuple[str, ...]) -> None:
        """Raise `HistoryError` where the database is at a revision this project does not know."""
        unknown = sorted(head for head in heads if not self.known(head))
        if unknown:
            raise HistoryError(
                f"the database is at revision {', '.join(unknown)}, which this project does not "
                "know",
                where=self.directory.dir,
                hint="deploy the release that has it, or downgrade from there; or is this another "
                "project's database?",
            )

    def upgrade(self, target: str, start: tuple[str, ...]) -> Plan:
        """Plan the way up from *start* to *target*."""
        self.require_known(start)
        self._require_branch(target)
        with explained(target, self.heads):
            steps = self.directory._upgrade_revs(target, cast("str", start))
        return _plan(steps, start)

    def downgrade(self, target: str, start: tuple[str, ...]) -> Plan:
        """Plan the way down from *start* to *target*.

        Raises `MigrationError` for a revision on it that has no way down.
        """
        self.require_known(start)
        self._require_branch(target)
        with explained(target, self.heads), warnings.catch_warnings():
            # Alembic only warns where "-1" may mean any of several heads, and takes one of them.
            warnings.filterwarnings("error", ".*ambiguous")
            try:
                steps = self.directory._downgrade_revs(target, cast("str", start))
            except AttributeError as error:
                raise no_way_back(shown_path(str(getattr(error.obj, "__file__", target)))) from None
        return _plan(steps, start)

    def _require_branch(self, target: str) -> None:
        """Raise `UsageError` for a branch that is not there: Alembic would go down all the same."""
        branch, separator, _ = target.rpartition("@")
        if separator and branch:
            self.get(branch)

    def applied_at(self, heads: tuple[str, ...]) -> set[str]:
        """Return the ids of all revisions that a database at *heads* has; unknown heads: none."""
        applied: set[str] = set()
        for head in heads:
            if self.known(head):
                applied |= self._ancestors(head)
        return applied

    def way_to(self, heads: tuple[str, ...]) -> tuple[Step, ...]:
        """Return the steps that bring an empty database to *heads*."""
        needed: set[str] = set()
        for head in heads:
            needed |= self._ancestors(head)
        return tuple(Step(each, Direction.UP) for each in self.all if each.id in needed)

    def between(self, text: str | None) -> tuple[Revision, ...]:
        """Return the revisions of a RANGE: ``FROM:TO``, FROM exclusive, or one revision.

        ``base`` and an empty FROM mean the beginning, ``heads`` and an empty TO the end.
        """
        if text is None:
            return self.all
        lower, separator, upper = text.partition(":")
        if not separator:
            return (self.one(text),)
        if lower and upper.startswith("+"):
            upper = lower + upper
        with explained(text, self.heads):
            below = self._ancestors(lower or "base")
            above = self._ancestors(upper or "heads")
        if not below <= above:
            raise UsageError(
                f'"{lower}" does not come before "{upper}"',
                where=f"range {text}",
                hint=f'the way back is "--down" with the same range: {upper}:{lower}',
            )
        return tuple(each for each in self.all if each.id in above - below)

    def between_either(self, one: str, other: str) -> tuple[Revision, ...]:
        """Return the revisions of a range whose ends may stand in either order."""
        with explained(f"{one}:{other}", self.heads):
            first = self._ancestors(one or "base")
            second = self._ancestors(other or "base")
        if first <= second:
            return self.between(f"{one}:{other}")
        return self.between(f"{other}:{one}")

    def heads_of(self, revisions: tuple[Revision, ...]) -> tuple[str, ...]:
        """Return the heads of a database that has *revisions* and all that they stand on."""
        stood_on = {parent for each in revisions for parent in self.parents(each)}
        top = {each.id for each in revisions} - stood_on
        top |= set(self.heads_below(revisions)) - stood_on
        return tuple(sorted(top))

    def _ancestors(self, argument: str) -> set[str]:
        """Return the ids of what *argument* names and of all that must come before it."""
        if argument == "base":
            return set()
        waiting = [each.id for each in self.get(argument)]
        seen: set[str] = set()
        while waiting:
            current = waiting.pop()
            if current not in seen:
                seen.add(current)
                waiting += self.parents(self._by_id[current])
        return seen

    def parents(self, revision: Revision) -> tuple[str, ...]:
        """Return the ids that must be applied before *revision*: its down and its depends_on."""
        script = self.directory.revision_map.get_revision(revision.id)
        return tuple(sorted(script._all_down_revisions)) if script is not None else ()

    def heads_below(self, revisions: tuple[Revision, ...]) -> tuple[str, ...]:
        """Return the heads of a database that has all that *revisions* stand on, and not them."""
        inside = {each.id for each in revisions}
        needed = {parent for each in revisions for parent in self.parents(each)} - inside
        covered: set[str] = set()
        for each in needed:
            covered |= self._ancestors(each) - {each}
        return tuple(sorted(needed - covered))


def no_way_back(path: str) -> MigrationError:
    """Tell of a revision that cannot be taken down."""
    return MigrationError(
        "the revision has no downgrade function, so nothing was done",
        where=path,
        hint="write one, or go down to that revision and not below it",
    )


def _plan(steps: list[RevisionStep], start: tuple[str, ...]) -> Plan:
    return Plan(
        tuple(
            Step(
                revision_of(step.revision),
                Direction.UP if step.is_upgrade else Direction.DOWN,
            )
            for step in steps
        ),
        start,
    )


def revision_of(script: Script) -> Revision:
    """Return our view of Alembic's revision."""
    return Revision(
        id=script.revision,
        down=_tuple(script.down_revision),
        depends_on=_tuple(script.dependencies),
        labels=tuple(sorted(script.branch_labels or ())),
        message=(script.doc or "").strip(),
        doc=(script.longdoc or "").strip(),
        path=shown_path(script.path),
    )


def shown_path(path: str) -> str:
    """Return *path* relative to the working directory where it lies below it."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return path


def _tuple(value: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Explain what a revision file or env.py raises while it is imported."""
    from alembic.script.revision import CycleDetected, RevisionError
    from alembic.util import CommandError

    try:
        yield
    except TopchefError:
        raise
    except SyntaxError as error:
        raise UsageError(
            f"a Python file has a syntax error: {error.msg}",
            where=f"{shown_path(error.filename or where)}:{error.lineno}",
            hint="correct the file",
        ) from None
    except CycleDetected as error:
        raise HistoryError(
            f"revisions depend on each other in a circle: {', '.join(error.revisions)}",
            where=where,
            hint="correct down_revision or depends_on in one of them",
        ) from None
    except (RevisionError, CommandError, KeyError, UserWarning) as error:
        raise UsageError(
            f"the revisions cannot be read: {_sentence(error)}",
            where=where,
            hint="correct the file that is named",
        ) from None
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"a revision file cannot be imported: {type(error).__name__}: {error}",
            where=_last_place(error, where),
            hint="correct the file, or install what it imports",
        ) from None


def _last_place(error: BaseException, where: str) -> str:
    incomplete = getattr(getattr(error, "obj", None), "__file__", None)
    if isinstance(error, AttributeError) and incomplete:
        # A revision without "down_revision": Alembic looks for it in the module.
        return shown_path(incomplete)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and "importlib" not in frame.filename
    ]
    inside = [frame for frame in frames if "topchef_schema" not in Path(frame.filename).parts]
    return f"{shown_path(inside[-1].filename)}:{inside[-1].lineno}" if inside else where


def _sentence(error: BaseException) -> str:
    text = error.args[0] if error.args else str(error)
    return re.sub(r"\s+", " ", str(text)).strip().rstrip(".")


@contextmanager
def explained(argument: str, heads: tuple[str, ...] = ()) -> Iterator[None]:
    """Turn Alembic's one CommandError into the failure it stands for."""
    from alembic.script.revision import MultipleHeads, RangeNotAncestorError, RevisionError
    from alembic.util import CommandError

    try:
        yield
    except AssertionError:
        # What Alembic takes for impossible: an empty argument, a walk that leaves the revisions.
        raise UsageError(
            f'"{argument}" names no revision',
            where=f"revision argument {argument}",
            hint="topchef-db history lists the revisions",
        ) from None
    except UserWarning as warning:
        raise HistoryError(
            f"{_sentence(warning).partition(';')[0]}: the database is at {', '.join(heads)}",
            where=f"revision argument {argument}",
            hint="name the branch: ID@-1 or LABEL@-1",
        ) from None
    except (CommandError, RevisionError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, MultipleHeads):
            named = ", ".join(sorted(cause.heads))
            raise HistoryError(
                f'there are several heads, so "{argument}" is ambiguous: {named}',
                where=f"revision argument {argument}",
                hint='name one of them, say "heads" for all, or join them: topchef-db merge heads',
            ) from None
        if isinstance(cause, RangeNotAncestorError):
            raise UsageError(
                f'"{argument}" cannot be reached from here: {_sentence(error)}',
                where=f"revision argument {argument}",
                hint="topchef-db heads and topchef-db status show the revisions and where the "
                "database is",
            ) from None
        is_argument = isinstance(cause, RevisionError)
        raise UsageError(
            _sentence(error),
            where=f"revision argument {argument}" if is_argument else argument,
            hint="topchef-db history lists the revisions"
            if is_argument
            else "correct the configuration; paths in it are relative to the working directory",
        ) from None
