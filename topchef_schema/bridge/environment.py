"""The environment door: runs a project's own env.py, and does our work inside it.

A foreign env.py decides about its metadata, version table, schemas, filters and transactions, so
recording and applying both go through it, as ``alembic`` itself does. ``configure`` is replaced on
the instance before it is entered (the proxies are installed by exact class, a subclass is not
seen), and the work is done by our own loop: a step that fails inside a generator of steps would
reach it only as GeneratorExit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from topchef_schema.bridge.configuration import (
    alembic_config,
    load_object,
    output_to_stderr,
    prepare,
    url_in_environment,
)
from topchef_schema.bridge.explaining import shown_path
from topchef_schema.bridge.listening import Listener, current_line, local_settings
from topchef_schema.bridge.loggers import revive_our_loggers
from topchef_schema.bridge.offline import as_it_is_sent, written_down
from topchef_schema.bridge.portable_words import portable_first
from topchef_schema.bridge.session import Session
from topchef_schema.errors import TopchefError, UsageError
from topchef_schema.model import Environment

if TYPE_CHECKING:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection, Dialect, MetaData

    from topchef_schema.bridge.revisions import Revisions

T = TypeVar("T")
log = logging.getLogger(__name__)


class EnvironmentFailed(Exception):
    """env.py raised something of its own; *cause* is what, *finished* whether our work was done."""

    def __init__(self, cause: BaseException, *, where: str, finished: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.where = where
        self.finished = finished


@dataclass(frozen=True, slots=True)
class Configured:
    """What env.py said in ``context.configure()``.

    Without a connection it is offline, and *url* is what env.py would render for. *in_batches* is
    whether it wants operations to be generated in batches, None where it does not say.
    """

    connection: Connection | None
    metadata: tuple[MetaData, ...]
    version_table: str
    version_table_schema: str | None
    url: str | None = field(default=None, repr=False)
    in_batches: bool | None = None

    @property
    def lock_key(self) -> str:
        """What the migration lock is held for."""
        return f"{self.version_table_schema or ''}.{self.version_table}"


class LazyAttributes(dict[str, Any]):
    """``config.attributes`` whose "connection" is made only when env.py asks for it."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        super().__init__()
        self._connect = connect

    def __missing__(self, key: str) -> Any:
        if key != "connection":
            raise KeyError(key)
        connection = self._connect()
        # Written for Alembic 1.x, many an env.py says connectable.connect() to it.
        vars(connection)["connect"] = connection.engine.connect
        self[key] = connection
        return connection

    def __contains__(self, key: object) -> bool:
        return key == "connection" or super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, making the connection if it is asked for."""
        if key not in self:
            return default
        return self[key]


@dataclass
class Door:
    """One way into a project's env.py.

    An env.py may configure several databases or schemas in one run (Alembic's multidb template, a
    loop over tenants): each is a visit of its own, with its own version table and steps.

    *on_configure* is called with each `Configured` before Alembic's own ``configure``; raising
    there refuses the database before anything was written to it; what it enters on the ExitStack
    lasts until that visit's transaction is over; it returns the name of the backend. *isolate* is
    for scratch work: each step in a transaction of its own, also where env.py opened one around
    everything. *connect* makes the connection for an env.py that takes
    ``config.attributes["connection"]``. *backend* names the backend of statements offline;
    *literal* is the dialect to write them for with their values, None to keep them as sent.
    *destination* is what env.py is told when it asks where Alembic was sent.
    """

    environment: Environment
    revisions: Revisions
    on_configure: Callable[[Configured, ExitStack], str] | None = None
    connect: Callable[[], Connection] | None = None
    isolate: bool = False
    backend: str = "unknown"
    literal: Dialect | None = None
    tag: str | None = None
    destination: str = "heads"

    def online(self, body: Callable[[Session], T], *, look: bool = False) -> list[T]:
        """Run env.py on its databases and *body* in each visit; with *look* nothing is written.

        Raises what *body* raises, `EnvironmentFailed` for what env.py itself raises, and
        `UsageError` for an env.py that runs no migrations.
        """
        options: dict[str, Any] = {"dont_mutate": True} if look else {}
        if self.tag is not None:
            options["tag"] = self.tag
        return self._run(body, options, offline_url=None)

    def offline(self, body: Callable[[Session], T], *, url: str) -> list[T]:
        """Run env.py in offline mode, and *body* in each visit, for the dialect of *url*."""
        return self._run(body, {"as_sql": True}, offline_url=url)

    def _run(
        self, body: Callable[[Session], T], options: dict[str, Any], *, offline_url: str | None
    ) -> list[T]:
        from alembic.runtime.environment import EnvironmentContext

        config = alembic_config(self.environment)
        if self.connect is not None:
            config.attributes = LazyAttributes(self.connect)
        run = _Run(self, body, offline_url)
        directory = self.revisions.directory
        # The directory was made from a Config of its own; env.py sees this one.
        context = EnvironmentContext(
            config, directory, fn=run.work, destination_rev=self.destination, **options
        )
        with ExitStack() as stack:
            run.install(context, stack)
            if self.isolate:
                run.local = stack.enter_context(local_settings())
            stack.enter_context(url_in_environment(self.environment))
            stack.enter_context(output_to_stderr())
            if offline_url is not None or self.literal is not None:
                stack.enter_context(written_down(directory.env_py_location))
            with run.explained():
                prepare(self.environment, config)
                with context:
                    directory.run_env()
        return cast("list[T]", run.outcome())


class _Run:
    """The state of one run of env.py."""

    def __init__(self, door: Door, body: Callable[[Session], Any], url: str | None) -> None:
        self.door = door
        self.body = body
        self.offline_url = url
        self.configured: Configured | None = None
        self.visit = ExitStack()
        self.keywords: dict[str, Any] = {}
        self.results: list[Any] = []
        self.raised: BaseException | None = None
        self.listener = Listener(door.backend, door.literal)
        self.local: list[tuple[str, Any]] = []

    def install(self, context: EnvironmentContext, stack: ExitStack) -> None:
        """Replace ``configure`` and ``run_migrations`` on the instance."""
        configure, run_migrations = context.configure, context.run_migrations

        def our_configure(connection: Connection | None = None, **options: Any) -> None:
            revive_our_loggers()
            with self.noted():
                configured(connection, options)

        def configured(connection: Connection | None, options: dict[str, Any]) -> None:
            self._require_connection(connection, offline=context.is_offline_mode())
            self._leave_visit(stack)
            given = options.get("url")
            if context.is_offline_mode():
                self._offline(options)
                connection = None
            self.configured = self._noted(connection, options, url=given)
            options["render_item"] = portable_first(options.get("render_item"))
            if self.door.on_configure is not None:
                self.listener.backend = self.door.on_configure(self.configured, self.visit)
            if connection is not None:
                self._transactions(connection, options)
            configure(connection=connection, **options)
            if self.door.isolate and connection is not None:
                context.get_context()._in_external_transaction = False

        def our_run_migrations(**keywords: Any) -> None:
            self._before_migrations(context.get_context(), keywords)
            run_migrations(**keywords)
            self._after_migrations(context.get_context())

        # On the instance: the proxies that env.py calls look the methods up there.
        vars(context).update(configure=our_configure, run_migrations=our_run_migrations)

    def _before_migrations(self, context: MigrationContext, keywords: dict[str, Any]) -> None:
        revive_our_loggers()
        self.keywords = keywords
        self._begun_since(context)
        if context.as_sql:
            as_it_is_sent(context)

    def _after_migrations(self, context: MigrationContext) -> None:
        if context.as_sql:
            # Alembic before 1.19.2 goes on to drop the version table: it took no step itself.
            self.listener.take()

    def _offline(self, options: dict[str, Any]) -> None:
        options["url"] = self.offline_url
        options["literal_binds"] = True
        options["output_buffer"] = _Buffer(self.listener)
        for ours in ("dialect_name", "output_encoding"):
            options.pop(ours, None)
        # Without this paramstyle a "%" would come out doubled.
        options["dialect_opts"] = {"paramstyle": "named"}

    def _leave_visit(self, stack: ExitStack) -> None:
        """Let go of what the visit before held, unless its transaction is still open."""
        before = self.configured.connection if self.configured else None
        if before is None or before.closed or not before.in_transaction():
            self.visit.close()
        self.visit = stack.enter_context(ExitStack())

    def _require_connection(self, connection: Connection | None, *, offline: bool) -> None:
        if connection is None and not offline:
            raise UsageError(
                "env.py configured no connection, so there is nothing to migrate",
                where=self._env_py,
                hint="call context.configure(connection=...) when not in offline mode",
            )

    @property
    def _env_py(self) -> str:
        return shown_path(self.door.revisions.directory.env_py_location)

    def _noted(
        self, connection: Connection | None, options: dict[str, Any], *, url: object
    ) -> Configured:
        metadata = options.get("target_metadata")
        reference = self.door.environment.metadata
        if metadata is None and reference is not None:
            metadata = load_object(reference, where="setting metadata")
            metadata = getattr(metadata, "metadata", metadata)
            options["target_metadata"] = metadata
        several = metadata if isinstance(metadata, list | tuple) else [metadata]
        return Configured(
            connection=connection,
            metadata=tuple(each for each in several if each is not None),
            version_table=options.get("version_table", "alembic_version"),
            version_table_schema=options.get("version_table_schema"),
            url=None if url is None else str(url),
            in_batches=options.get("render_as_batch"),
        )

    def _transactions(self, connection: Connection, options: dict[str, Any]) -> None:
        chosen = self.door.environment.transaction_per_migration
        if chosen is not None:
            options["transaction_per_migration"] = chosen
        if self.door.isolate:
            options["transaction_per_migration"] = True
            if connection.in_transaction():
                _end_transaction(connection)

    def _begun_since(self, context: MigrationContext) -> None:
        """Tell Alembic of a transaction that env.py began after ``configure``: it ends it, too."""
        connection = context.connection
        if context.as_sql or connection is None or not connection.in_transaction():
            return
        if context._transaction is not None:
            return
        if self.door.isolate:
            _end_transaction(connection)
        elif connection._trans_context_manager is not None or (
            context.impl.transactional_ddl and not context._transaction_per_migration
        ):
            context._in_external_transaction = True

    def work(self, heads: tuple[str, ...], context: MigrationContext) -> Iterator[Any]:
        """Alembic's ``fn``: do everything here and hand back no steps."""
        from alembic import op

        from topchef_schema.bridge import operations

        assert self.configured is not None
        connection = self.configured.connection
        operations.attach(vars(op)["_proxy"], self.listener)
        session = Session(
            context=context,
            revisions=self.door.revisions,
            configured=self.configured,
            listener=self.listener,
            keywords=self.keywords,
            isolate=self.door.isolate,
            local=tuple(self.local),
        )
        engine = None if connection is None else connection.engine
        with self.noted(), self.listener.attached(engine), session:
            self.results.append(self.body(session))
        return iter(())

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what our own work raises: env.py may catch it."""
        if self.raised is not None:
            raise self.raised  # env.py caught it, and tries again
        try:
            yield
        except BaseException as error:
            self.raised = error
            raise

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Tell what our work raised from what env.py raised."""
        try:
            yield
            if self.raised is not None:
                raise self.raised
        except TopchefError:
            raise
        except (Exception, SystemExit) as error:
            if self.raised is not None:
                raise self.raised from None
            if isinstance(error, SystemExit) and self.results and not error.code:
                return
            if self.door.isolate and self.results:
                # Its own commit finds the transaction gone: our work there is done all the same.
                log.debug("env.py, after the work: %s", error)
                return
            raise EnvironmentFailed(
                error, where=self._place(error), finished=bool(self.results)
            ) from error

    def _place(self, error: BaseException) -> str:
        import traceback

        if isinstance(error, SyntaxError) and error.filename:
            return f"{shown_path(error.filename)}:{error.lineno}"
        directory = self.door.revisions.directory
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename.startswith(str(directory.dir)):
                return f"{shown_path(frame.filename)}:{frame.lineno}"
        return self._env_py

    def outcome(self) -> list[Any]:
        """Return what the body returned, visit by visit; raises `UsageError` if it never ran."""
        if not self.results:
            raise UsageError(
                "env.py ended without running any migrations",
                where=self._env_py,
                hint="it has to call context.configure() and context.run_migrations()",
            )
        return self.results


class _Buffer:
    """Takes what Alembic writes in offline mode: one call for each statement."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener

    def write(self, text: str) -> None:
        """Note one statement, with the line of the revision that caused it."""
        self.listener.add(text.strip(), line=current_line(self.listener.file))

    def flush(self) -> None:
        """Nothing is held back."""


def _end_transaction(connection: Connection) -> None:
    """Commit what env.py began; not a rollback: what it SET before must survive."""
    connection.commit()
    # SQLAlchemy lets nothing follow a commit inside ``with engine.begin()``.
    connection._trans_context_manager = None
