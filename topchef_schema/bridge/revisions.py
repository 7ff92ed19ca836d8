"""Alembic's script directory as our revisions, and its words for them as plans."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast

from topchef_schema.bridge.explaining import explained, no_way_back, readable, shown_path
from topchef_schema.errors import HistoryError, UsageError
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
        from topchef_schema.bridge.loading import scripts

        with explained(environment.config_file):
            config = alembic_config(environment)
            try:
                directory = ScriptDirectory.from_config(config)
            except ValueError as error:  # of path_separator and version_path_separator
                raise UsageError(
                    str(error),
                    where=environment.config_file,
                    hint="path_separator is space, newline, os, : or ;",
                ) from None
        directory.revision_map._generator = lambda: scripts(directory)
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
        return frozenset(self.directory.revision_map._real_heads)

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
        found = self.directory.revision_map._revision_map.get(revision)
        if found is not None:
            return cast("Script", found)
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
                # Alembic looks for the function in each module on the way.
                raise no_way_back(error.obj) if error.name == "downgrade" else error from None
        return _plan(steps, start)

    def require_way_back(self, revisions: Sequence[Revision]) -> None:
        """Raise `MigrationError` where one of *revisions* has no downgrade function."""
        for each in revisions:
            module = self.script(each.id).module
            if not hasattr(module, "downgrade"):
                raise no_way_back(module)

    def _require_branch(self, target: str) -> None:
        """Raise `UsageError` for a branch that is not there: Alembic would go down all the same."""
        branch, separator, _ = target.rpartition("@")
        if separator and branch:
            self.get(branch)

    def applied_at(self, heads: tuple[str, ...]) -> set[str]:
        """Return the ids of all revisions that a database at *heads* has; unknown heads: none."""
        return self._with_ancestors(head for head in heads if self.known(head))

    def way_to(self, heads: tuple[str, ...]) -> tuple[Step, ...]:
        """Return the steps that bring an empty database to *heads*."""
        needed = self._with_ancestors(heads)
        return tuple(Step(each, Direction.UP) for each in self.all if each.id in needed)

    def between(self, text: str | None) -> tuple[Revision, ...]:
        """Return the revisions of a RANGE: ``FROM:TO``, FROM exclusive, or one revision.

        ``base`` and an empty FROM mean the beginning, ``heads`` and an empty TO the end. FROM may
        be several heads, with commas between them: those of a database with branches.
        """
        if text is None:
            return self.all
        if ":" not in text:
            return (self.one(text),)
        below, above = self._ends(text)
        inside = above - below
        return tuple(each for each in self.all if each.id in inside)

    def rows_at(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the version rows of a database that is at FROM, and at TO, of a range."""
        below, above = self._ends(text)
        return self._tops(below), self._tops(above)

    def _tops(self, ids: set[str]) -> tuple[str, ...]:
        stood_on = {parent for each in ids for parent in self.parents(self._by_id[each])}
        return tuple(sorted(ids - stood_on))

    def _ends(self, text: str) -> tuple[set[str], set[str]]:
        """Return what is there at FROM, and at TO."""
        lower, _, upper = text.partition(":")
        if lower and upper.startswith("+"):
            upper = lower + upper
        several = lower.split(",")
        with explained(text, self.heads):
            below = {each for one in several for each in self._ancestors(one or "base")}
            above = self._ancestors(upper or "heads")
        if len(several) > 1:
            above |= below
        if not below <= above:
            raise UsageError(
                f'"{lower}" does not come before "{upper}"',
                where=f"range {text}",
                hint=f'the way back is "--down" with the same range: {upper}:{lower}',
            )
        return below, above

    def lower_first(self, one: str, other: str) -> str:
        """Return the range whose ends are these, FROM first."""
        if "," in one:
            return f"{one}:{other}"
        with explained(f"{one}:{other}", self.heads):
            first = self._ancestors(one or "base")
            second = self._ancestors(other or "base")
        return f"{one}:{other}" if first <= second else f"{other}:{one}"

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
        return self._with_ancestors(each.id for each in self.get(argument))

    def _with_ancestors(self, ids: Iterable[str]) -> set[str]:
        """Return *ids*, which are full ones, and all that must come before them."""
        waiting = list(ids)
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

    def parents_of(self, identity: str) -> tuple[str, ...]:
        """Return what `parents` does for the full id *identity*; for an unknown one: none."""
        return self.parents(self._by_id[identity]) if self.known(identity) else ()

    def is_head(self, revision: Revision) -> bool:
        """Whether no other revision follows *revision*."""
        return self.script(revision.id).is_head

    def heads_below(self, revisions: tuple[Revision, ...]) -> tuple[str, ...]:
        """Return the heads of a database that has all that *revisions* stand on, and not them."""
        inside = {each.id for each in revisions}
        needed = {parent for each in revisions for parent in self.parents(each)} - inside
        below = self._with_ancestors(
            parent for each in needed for parent in self.parents(self._by_id[each])
        )
        return tuple(sorted(needed - below))


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


def _tuple(value: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
