"""What Alembic does for one step, in a way that is as quick for the thousandth."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from alembic.runtime.migration import HeadMaintainer, MigrationStep, RevisionStep
from alembic.util import CommandError
from sqlalchemy import bindparam

from topchef_schema.bridge.own_statement import OwnStatement
from topchef_schema.model import Direction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topchef_schema.bridge.revisions import Revisions
    from topchef_schema.model import Plan, Step


class Heads(HeadMaintainer):
    """Alembic's version rows, moved by one statement that is compiled once.

    Alembic writes the two ids into its text, and compiles one for each step.
    """

    @cached_property
    def _update(self) -> OwnStatement:
        table = self.context._version
        here = table.c.version_num == bindparam("from_")
        return OwnStatement(
            table.update().where(here).values(version_num=bindparam("to_")), ["from_", "to_"]
        )

    def _update_version(self, from_: str, to_: str) -> None:
        connection = self.context.connection
        # Who listens to SQLAlchemy's log is to see the version rows move.
        if self.context.as_sql or connection is None or connection._echo:
            super()._update_version(from_, to_)
            return
        self.heads.remove(from_)
        self.heads.add(to_)
        met = self._update.send(connection, [{"from_": from_, "to_": to_}])
        if self.context.dialect.supports_sane_rowcount and met != 1:
            raise CommandError(
                f"Online migration expected to match one row when updating '{from_}' to '{to_}' "
                f"in '{self.context.version_table}'; {met} found"
            )


class HeadsAlone(HeadMaintainer):
    """Alembic's reckoning of the version rows, without a statement."""

    def _insert_version(self, version: str) -> None:
        self.heads.add(version)

    def _delete_version(self, version: str) -> None:
        self.heads.remove(version)

    def _update_version(self, from_: str, to_: str) -> None:
        self.heads.remove(from_)
        self.heads.add(to_)


def heads_along(revisions: Revisions, plan: Plan) -> Iterator[tuple[str, ...]]:
    """Yield the version rows, sorted, as they are after each step of *plan*."""
    maintainer = HeadsAlone(None, plan.start)  # type: ignore[arg-type]
    for step in plan:
        maintainer.update_to_step(step_of(revisions, step))
        yield tuple(sorted(maintainer.heads))


def step_of(revisions: Revisions, step: Step) -> RevisionStep:
    """Return Alembic's step of ours."""
    script = revisions.script(step.revision.id)
    graph = revisions.directory.revision_map
    if step.direction is Direction.UP:
        return MigrationStep.upgrade_from_script(graph, script)
    return StepDown(graph, script, is_upgrade=False)


class StepDown(RevisionStep):
    """Alembic's step, with a short way to the version rows that come in place of its own."""

    def _unmerge_to_revisions(self, heads: set[str]) -> tuple[str, ...]:
        """Return which of the revisions below become heads.

        One that nothing else follows, or depends on, becomes a head in any case. Alembic holds
        it against all that lies below, and a way down through n revisions takes n * n / 2 looks.
        """
        below = [self.revision_map.get_revision(each) for each in self.to_revisions]
        here = {self.revision.revision}
        alone = all(each is not None and each._all_nextrev == here for each in below)
        if alone and heads.isdisjoint(self.to_revisions):
            return self.to_revisions
        return super()._unmerge_to_revisions(heads)
