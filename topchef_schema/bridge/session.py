"""What our work can do inside one run of env.py: take steps, in any order and direction."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topchef_schema.bridge.explaining import shown_path
from topchef_schema.model import Direction, Location, Statement, Step, VersionTable

if TYPE_CHECKING:
    from types import TracebackType

    from alembic.runtime.migration import HeadMaintainer, MigrationContext, RevisionStep
    from sqlalchemy import Connection, Dialect

    from topchef_schema.bridge.environment import Configured
    from topchef_schema.bridge.journaling import Hooks, Journaling
    from topchef_schema.bridge.listening import Listener
    from topchef_schema.bridge.revisions import Revisions


class StepFailed(Exception):
    """A revision raised; *cause* is what. *sent* are the statements that the server took before.

    *own_commits* counts the commits the revision made itself: what it had done by then stays,
    also on a database whose DDL is transactional. *lasting* are those that stay, where that is
    known.
    """

    lasting: Sequence[str] = ()

    def __init__(
        self,
        step: Step,
        cause: BaseException,
        *,
        location: Location,
        sent: tuple[Statement, ...],
        failed: Statement | None,
        own_commits: int,
    ) -> None:
        super().__init__(str(cause))
        self.step = step
        self.cause = cause
        self.location = location
        self.sent = sent
        self.failed = failed
        self.own_commits = own_commits

    @property
    def raised_by(self) -> str | None:
        """The name of the function that raised *cause*."""
        trace = traceback.extract_tb(self.cause.__traceback__)
        return trace[-1].name if trace else None


class NoDowngradeError(Exception):
    """The revision has no ``downgrade`` function."""


class ProgramEndedError(Exception):
    """The revision called ``sys.exit``."""


@dataclass
class Session:
    """The open door. *isolate*: each step in a transaction of its own (scratch work).

    *local* is what env.py set for the length of its transaction: there, each step gets it again.
    *remembering*: with *isolate* too, a step knows of named types what the steps before it knew.
    """

    context: MigrationContext
    revisions: Revisions
    configured: Configured
    listener: Listener
    keywords: dict[str, Any]
    isolate: bool = False
    local: tuple[tuple[str, Any], ...] = ()
    remembering: bool = False
    memory: dict[Any, set[Any]] = field(default_factory=dict, init=False)
    _maintainer: HeadMaintainer | None = field(default=None, init=False)
    _hooks: Hooks | None = field(default=None, init=False)
    _attached: ExitStack = field(default_factory=ExitStack, init=False)
    _begun_before: Any = field(default=None, init=False)

    def __enter__(self) -> Session:
        if not self.context.as_sql:
            # The CREATE of the version table may still be uncommitted: a rollback would drop it.
            if self.isolate:
                self._commit_open()
            self._begun_before = self.connection.get_transaction()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._attached.close()
        if error is not None or self.context.as_sql:
            return
        # One that our own reads began would be taken for env.py's by what it configures next.
        if self.isolate or self.connection.get_transaction() is not self._begun_before:
            self.settle()

    @property
    def connection(self) -> Connection:
        """The connection that env.py made."""
        connection = self.context.connection
        assert connection is not None
        return connection

    @property
    def dialect(self) -> Dialect:
        """The dialect statements are written for."""
        return self.context.dialect

    @property
    def whole_run(self) -> bool:
        """Whether env.py chose one transaction for the whole run."""
        if self._commits_every_statement:
            return False
        return self.context._transaction is not None or self.external

    @property
    def external(self) -> bool:
        """Whether env.py began a transaction around everything, and is to end it."""
        return bool(self.context._in_external_transaction)

    @property
    def _commits_every_statement(self) -> bool:
        return not self.context.as_sql and self.connection._is_autocommit_isolation()

    @property
    def committed(self) -> bool:
        """Whether the last step committed by itself."""
        return bool(self.listener.commits)

    @property
    def transactional(self) -> bool:
        """Whether a rollback undoes DDL here, as far as Alembic knows."""
        return bool(self.context.impl.transactional_ddl) and not self._commits_every_statement

    @property
    def autocommit(self) -> bool:
        """Whether env.py's connection commits each statement by itself."""
        return self.connection._is_autocommit_isolation()

    @property
    def lost(self) -> bool:
        """Whether the connection broke: SQLAlchemy would go on with another, without our lock."""
        return self.connection.invalidated

    def heads(self) -> tuple[str, ...]:
        """Read the version table: the heads of this database, sorted."""
        return tuple(sorted(self.context.get_current_heads()))

    def settle(self) -> None:
        """Leave no transaction open between steps: SQLAlchemy begins one with every read.

        One that env.py began around everything is its own.
        """
        if self.external:
            return
        # Also out of one that is void, because its commit failed.
        if self.connection.get_transaction() is not None and self.context._transaction is None:
            self.connection.rollback()

    def commit(self) -> None:
        """Commit our own writes, unless env.py chose one transaction for the whole run."""
        if not self.whole_run:
            self._commit_open()

    def start_from(self, heads: tuple[str, ...]) -> None:
        """In offline mode: take the database to be at *heads*, and write no version rows."""
        from topchef_schema.bridge.steps import HeadsAlone

        self._maintainer = HeadsAlone(self.context, heads)

    def heads_ahead(self) -> tuple[str, ...]:
        """In offline mode: the heads that the steps so far lead to, sorted."""
        return tuple(sorted(self._head_maintainer().heads))

    def version_table(self, dialect: Dialect, *, if_not_exists: bool) -> VersionTable:
        """Return Alembic's table, in the words of *dialect*."""
        from topchef_schema.bridge.own_statement import table_made

        table = self.context._version
        return VersionTable(
            name=dialect.identifier_preparer.format_table(table),
            key=self.configured.lock_key,
            schema=self.configured.version_table_schema,
            create=table_made(table, dialect, if_not_exists=if_not_exists),
        )

    def step(
        self,
        step: Step,
        *,
        record: Callable[[Connection, float], None] | None = None,
        journaling: Journaling | None = None,
    ) -> tuple[Statement, ...]:
        """Take one step with its version row, and return the statements it sent.

        *record* is called in the same transaction, with the connection and the seconds the step
        took. *journaling* follows the statements, and ends in that transaction too. Raises
        `StepFailed`; the transaction, where there is one, is rolled back.
        """
        alembic_step = self._alembic_step(step)
        maintainer = self._head_maintainer()
        if self.isolate:
            self._recollect()
        self.listener.take()
        try:
            with self._followed_by(journaling), self.context.begin_transaction(_per_migration=True):
                for sql, parameters in self.local:
                    self.connection.exec_driver_sql(sql, parameters or None)
                started = time.perf_counter()
                with self.listener.hearing(step, self._file(step)):
                    alembic_step.migration_fn(**self.keywords)
                if journaling is not None:
                    journaling.finish(self.connection)
                maintainer.update_to_step(alembic_step)
                self._callbacks(alembic_step, maintainer)
                if record is not None:
                    record(self.connection, time.perf_counter() - started)
            self._commit_stray()
            if self.listener.commits:
                self._commit_rest()
        except (Exception, SystemExit) as error:
            if not self.context.as_sql:
                self._maintainer = None
            raise self._failed(step, error) from error
        return self.listener.take()

    def _recollect(self) -> None:
        """Let a step know of named types what a new process would: nothing, or all so far."""
        memo = self.context.impl.memo
        for key, names in memo.items():
            if isinstance(names, set):
                self.memory.setdefault(key, set()).update(names)
        memo.clear()
        if self.remembering:
            memo.update({key: set(names) for key, names in self.memory.items()})

    def _followed_by(self, journaling: Journaling | None) -> AbstractContextManager[object]:
        if journaling is None:
            return nullcontext()
        if self._hooks is None:
            from topchef_schema.bridge.journaling import Hooks

            self._hooks = Hooks()
            self._attached.enter_context(self._hooks.attached(self.connection.engine))
        return self._hooks.followed_by(journaling)

    def skip(self, step: Step) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
        """In offline mode: what stands before and after a step that could not be rendered."""
        alembic_step = self._alembic_step(step)
        with self.context.begin_transaction(_per_migration=True):
            before = self.listener.take()
            self._head_maintainer().update_to_step(alembic_step)
        return before, self.listener.take()

    def mark(self, step: Step) -> None:
        """Write the version row of *step* without running it."""
        alembic_step = self._alembic_step(step)
        with self.context.begin_transaction(_per_migration=True):
            self._head_maintainer().update_to_step(alembic_step)
        self._commit_stray()

    def stamp(self, targets: tuple[str, ...], *, purge: bool = False) -> None:
        """Set the version table to *targets* without running anything."""
        from alembic.runtime.migration import HeadMaintainer

        if purge:
            self.context._ensure_version_table(purge=True)
        heads = () if purge else self.heads()
        maintainer = HeadMaintainer(self.context, heads)
        for alembic_step in self.revisions.directory._stamp_revs(targets, heads):
            with self.context.begin_transaction(_per_migration=True):
                maintainer.update_to_step(alembic_step)
        self._commit_stray()

    def _alembic_step(self, step: Step) -> RevisionStep:
        from topchef_schema.bridge.steps import step_of

        module = self.revisions.script(step.revision.id).module
        if step.direction is Direction.DOWN and not hasattr(module, "downgrade"):
            raise StepFailed(
                step,
                NoDowngradeError("the revision has no downgrade function"),
                location=Location(step.revision.path, None),
                sent=(),
                failed=None,
                own_commits=0,
            )
        return step_of(self.revisions, step)

    def _head_maintainer(self) -> HeadMaintainer:
        if self._maintainer is None:
            from topchef_schema.bridge.steps import Heads

            self._maintainer = Heads(self.context, self.context.get_current_heads())
        return self._maintainer

    def _file(self, step: Step) -> str:
        return str(self.revisions.script(step.revision.id).module.__file__)

    def _callbacks(self, alembic_step: RevisionStep, maintainer: HeadMaintainer) -> None:
        for callback in self.context.on_version_apply_callbacks:
            callback(
                ctx=self.context,
                step=alembic_step.info,
                heads=set(maintainer.heads),
                run_args=self.keywords,
            )

    def _commit_stray(self) -> None:
        """Commit a version row that no transaction of Alembic's holds.

        A revision that commits by itself leaves the row in a transaction that SQLAlchemy began by
        itself; plain Alembic 1.20 loses the row of the last such step.
        """
        if self.context.as_sql or self.context._in_external_transaction:
            return
        connection = self.connection
        if connection.in_transaction():
            current = connection.get_transaction()
            if self.context._transaction is None or current is not self.context._transaction:
                connection.commit()

    def _commit_rest(self) -> None:
        """Commit the rest of a revision that committed part of itself in the run's transaction.

        It cannot be undone as a whole any more: rolling back its version row alone, because a
        later revision fails, would leave its tables without it.
        """
        if self.context._transaction is not None and not self.context.as_sql:
            self._commit_open()
            self.context._transaction = self.connection.begin()

    def _commit_open(self) -> None:
        if self.connection.in_transaction():
            self.connection.commit()

    def _failed(self, step: Step, error: BaseException) -> StepFailed:
        if isinstance(error, StepFailed):
            return error
        if isinstance(error, SystemExit):
            ended = ProgramEndedError(f"it ends the program: sys.exit({error.code!r})")
            error = ended.with_traceback(error.__traceback__)
        heard = self.listener.take()
        refused = _refused(heard, error)
        return StepFailed(
            step,
            error,
            location=self._location(step, error),
            sent=tuple(each for each in heard if each is not refused),
            failed=refused,
            own_commits=self.listener.commits,
        )

    def _location(self, step: Step, error: BaseException) -> Location:
        file = self._file(step)
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename == file:
                return Location(shown_path(file), frame.lineno)
        return Location(step.revision.path, None)


def _refused(heard: Sequence[Statement], error: BaseException) -> Statement | None:
    """Return the statement that the driver refused, which was heard before it was sent.

    It is not always the last one: Alembic drops the copy of a table that it could not fill.
    """
    from sqlalchemy.exc import DBAPIError

    if not isinstance(error, DBAPIError) or error.statement is None:
        return None
    words = error.statement.split()
    refused = (each for each in reversed(heard) if each.seconds is None)
    return next((each for each in refused if each.sql.split() == words), None)
