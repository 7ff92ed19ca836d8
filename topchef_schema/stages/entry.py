"""Opens the environment door on a project's database, and says in our words what went wrong."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from topchef_schema import backends
from topchef_schema.backends.base import Failure, Held, first_line, safe_label
from topchef_schema.backends.driver_message import driver_message
from topchef_schema.errors import TopchefError, UnreachableError, UsageError
from topchef_schema.model import OWN_TABLES, DatabaseUrl, Environment
from topchef_schema.project import Project, parse_url

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Dialect

    from topchef_schema.backends.base import Backend
    from topchef_schema.bridge.environment import Configured, Door, EnvironmentFailed
    from topchef_schema.bridge.session import Session

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """The database that env.py really connected to; *label* has no secret in it.

    *name* is the one it has in the setting ``databases``, None in all other projects. *run_id* is
    what the history and the lock call this run, *lock_key* what the lock is called; *locked* says
    whether it is still held.
    """

    backend: Backend
    label: str
    version_table: str
    version_table_schema: str | None
    name: str | None = None
    run_id: str = ""
    lock_key: str = ""
    locked: Held = lambda: True

    @property
    def own_tables(self) -> frozenset[str]:
        """The tables that are no part of the project's schema: Alembic's and ours."""
        return OWN_TABLES | {self.version_table}


@dataclass
class Entry:
    """One way through a project's env.py, to each database or schema that it configures.

    With *lock_timeout* the migration lock of each is held from before Alembic's first look at the
    version table: two first upgrades would collide at creating that table.
    """

    project: Project
    lock_timeout: float | None = None
    announce: bool = False
    isolate: bool = False
    literal: Dialect | None = None
    tag: str | None = None
    target: Target | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex, init=False)
    _looks: bool = field(default=False, init=False)
    _labels: Counter[str] = field(default_factory=Counter, init=False)
    _locked: dict[tuple[str, str], Held] = field(default_factory=dict, init=False)

    def run(self, body: Callable[[Session, Target], T], *, look: bool = False) -> list[T]:
        """Run *body* at each place that env.py comes to; with *look* nothing is written.

        Raises `TopchefError`.
        """
        from sqlalchemy.exc import DBAPIError

        from topchef_schema.bridge.environment import EnvironmentFailed

        self._looks = look
        with ExitStack() as stack:
            door = self._door(stack)
            try:
                return door.online(lambda session: body(session, self._seen()), look=look)
            except EnvironmentFailed as failed:
                raise self.explained(failed) from failed.cause
            except DBAPIError as refused:
                if self.isolate:
                    raise  # in a database of our making that is a fault of ours
                raise self._database_failure(refused, "the database") from refused.orig

    def run_at(
        self, database: str | None, body: Callable[[Session, Target], T], *, tenant: int = 0
    ) -> T:
        """Run *body* once: at the one of several databases that has this name, else at the first.

        A loop over tenants does the same to each, so that one of them tells of all; *tenant* is
        the position of another one.
        """
        found: list[T] = []
        passed: list[Target] = []

        def once(session: Session, target: Target) -> None:
            if target.name == database:
                if len(passed) == tenant:
                    found.append(body(session, target))
                passed.append(target)

        self.run(once)
        if not found:
            raise UsageError(
                f"env.py did not come to the database {database}",
                where=self.project.environment.config_file,
                hint="databases in the [topchef] section names the sections that env.py reads",
            )
        return found[0]

    def _seen(self) -> Target:
        assert self.target is not None
        return self.target

    def _door(self, stack: ExitStack) -> Door:
        from topchef_schema.bridge.environment import Door

        environment = self.project.environment
        connect = None
        if environment.url is not None:
            _, url = database_url(self.project, environment.url)
            if not environment.drivers:
                text, source = url.render_as_string(hide_password=False), environment.url.source
                environment = environment._replace(url=DatabaseUrl(text, source))

            wanted, is_async = _wanted(environment)
            if not is_async:

                def connect() -> Connection:
                    return stack.enter_context(connected(wanted))

        return Door(
            environment,
            self.project.revisions,
            on_configure=self._configured,
            connect=connect,
            isolate=self.isolate,
            literal=self.literal,
            tag=self.tag,
        )

    def _configured(self, configured: Configured, stack: ExitStack) -> str:
        connection = configured.connection
        assert connection is not None
        # Also of an engine that env.py made: what it logs and raises is shown to people.
        connection.engine.hide_parameters = True
        backend = backends.for_connection(connection)
        name, source = self._verified(backend, connection)
        self.target = Target(
            backend,
            self._label(connection, name),
            configured.version_table,
            configured.version_table_schema,
            name,
            self.run_id,
            configured.lock_key,
        )
        if self.project.environment.scratch:
            backend.disposable(connection)
        if self.announce:
            log.info("database: %s (from %s)", self.target.label, source)
        if self.lock_timeout is not None:
            locked = self._lock(backend, connection, configured.lock_key, stack)
            self.target = replace(self.target, locked=locked)
        return backend.name

    def _label(self, connection: Connection, name: str | None) -> str:
        """Return what to call the database: tenants of one database are numbered."""
        label = safe_label(connection.engine.url)
        if name is not None:
            return f"{name} {label}"
        self._labels[label] += 1
        return label if self._labels[label] == 1 else f"{label} #{self._labels[label]}"

    def _lock(self, backend: Backend, connection: Connection, key: str, stack: ExitStack) -> Held:
        assert self.lock_timeout is not None
        place = (backend.identity(connection), key)
        if place in self._locked:
            # By an earlier visit of this run, whose transaction is still open.
            return self._locked[place]
        held = backend.lock(connection, key, self.lock_timeout, self.run_id)
        self._locked[place] = stack.enter_context(held)
        stack.callback(self._locked.pop, place)
        return self._locked[place]

    def _verified(self, backend: Backend, connection: Connection) -> tuple[str | None, str]:
        """Return which of the databases that were named this is, and who named it.

        Raises `UsageError` where it is none of them.
        """
        environment = self.project.environment
        reached = connection.engine.url
        named = [(name, url, database_url(self.project, url)[1]) for name, url in environment.named]
        for name, url, parsed in named:
            if _place(parsed) == _place(reached) or _same(backend, parsed, connection):
                return name, url.source
        if not named:
            return None, "env.py"
        labels = " or ".join(safe_label(parsed) for _, _, parsed in named)
        raise UsageError(
            f"env.py connected to {safe_label(reached)}, not to {labels}",
            where=f"{environment.config_file}; the URL came from {named[0][1].source}",
            hint="say in the [topchef] section how env.py takes its URL: url_env (the "
            "environment variable it reads), url_x (its -x key) or url_option (its ini key); "
            "prepare, where the program must be set up first; "
            "databases, where it migrates several (the ini sections that hold their URLs)",
        )

    def explained(self, failed: EnvironmentFailed) -> TopchefError:
        """Say what env.py's own failure means."""
        cause = failed.cause
        from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

        if isinstance(cause, DBAPIError) or _is_driver_error(cause):
            return self._database_failure(cause, failed.where)
        if isinstance(cause, NoSuchModuleError | ArgumentError):
            return UsageError(
                self._clean(f"env.py was given no usable database URL: {first_line(cause)}"),
                where=failed.where,
                hint="name the database: --url, --url-env, --url-file or TOPCHEF_DATABASE_URL",
            )
        if isinstance(cause, SystemExit):
            return UsageError(
                self._clean(f"env.py ends the program: sys.exit({cause.code!r})"),
                where=failed.where,
                hint="let it raise an error that says what is wrong, or go on",
            )
        if isinstance(cause, ModuleNotFoundError):
            return UnreachableError(
                f'the module "{cause.name}" is not installed',
                where=failed.where,
                hint=f"install it into this environment, beside topchef-schema: pip install "
                f"{cause.name}",
            )
        return UsageError(
            self._clean(f"env.py failed: {type(cause).__name__}: {first_line(cause)}"),
            where=failed.where,
            hint="try `alembic current`; what has to run before it: prepare in [topchef]",
        )

    def _database_failure(self, cause: BaseException, where: str) -> TopchefError:
        url = self.project.environment.url
        log.debug("the driver said: %s", self._clean(driver_message(cause)))
        if url is not None:
            backend, parsed = database_url(self.project, url)
            place = f"{safe_label(parsed)} (from {url.source})"
            return unreachable(backend, cause, place, looks=self._looks)
        known = self.target.backend if self.target else None
        if known is not None:
            place = self.target.label if self.target else where
            return unreachable(known, cause, place, looks=self._looks)
        return UnreachableError(
            self._clean(f"the database cannot be reached: {first_line(cause)}"),
            where=where,
            hint="is the server running, and are host, port, user and database right?",
        )

    def _clean(self, text: str) -> str:
        """Take the password out of what somebody else wrote."""
        for _, url in self.project.environment.named:
            parsed = parse_url(url)
            # SQLAlchemy hides the password, and not what is in the query.
            for written in (url.text, str(parsed), parsed.render_as_string(hide_password=False)):
                text = text.replace(written, safe_label(parsed))
            if parsed.password:
                text = text.replace(str(parsed.password), "***")
        return text


def look_first(project: Project) -> None:
    """Run env.py without writing, to find out whether it goes to a database that was not named.

    Refused only when it comes there, another would be written to already.
    """
    Entry(project).run(lambda session, target: None, look=True)


def database_url(project: Project, url: DatabaseUrl) -> tuple[Backend, URL]:
    """Return the backend of *url*, and the URL with an installed driver."""
    parsed = parse_url(url)
    backend = backends.for_url(parsed, where=url.source)
    driver = project.environment.drivers.get(parsed.get_backend_name())
    return backend, parsed if driver is not None else backend.with_driver(parsed)


def _wanted(environment: Environment) -> tuple[URL, bool]:
    """Return the URL that env.py is given, and whether its driver is async.

    Then env.py makes the engine: a connection of ours would lead it past the driver it asked for.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import NoSuchModuleError

    from topchef_schema.bridge.configuration import environment_url

    url = make_url(environment_url(environment) or "")
    try:
        return url, url.get_dialect().is_async
    except NoSuchModuleError:
        raise UsageError(
            f'SQLAlchemy knows no driver "{url.drivername}"',
            where="setting drivers",
            hint="write DIALECT = DRIVER, for example postgresql = asyncpg",
        ) from None


def require_database(project: Project) -> None:
    """Raise `UnreachableError` where the named database is not there; never creates one."""
    for _, named in project.environment.named:
        backend, url = database_url(project, named)
        if not backend.exists(url):
            absent = UnreachableError(
                "the database does not exist",
                where=f"{safe_label(url)} (from {named.source})",
                hint="check the name, or create it: topchef-db upgrade creates a SQLite file, a "
                "server's databases are created by whoever runs the server",
            )
            absent.may_come = not backend.made_by_connecting
            raise absent


_HINTS = {
    Failure.UNREACHABLE: "is the server running, and are host and port right?",
    Failure.ACCESS_DENIED: "check user and password; a special character in the password must be "
    "percent-encoded in the URL (@ is %40)",
    Failure.NO_SUCH_DATABASE: "check the name, or create the database first",
    Failure.READ_ONLY: "use a user, or a file, that may be written to",
    Failure.CONNECTION_LOST: "run the same command again once the server is back",
}


def unreachable(
    backend: Backend, cause: BaseException, where: str, *, looks: bool = False
) -> UnreachableError:
    """Say in one sentence why a database cannot be reached; *looks* says of a visit that it reads.

    Then what is refused to a user is to read, where users are what has rights.
    """
    failure = backend.failure(cause)
    said = first_line(cause)
    message = str(failure) if failure is not Failure.OTHER else "the database refused"
    hint = _HINTS.get(failure, "see what the server says above")
    if backend.made_by_connecting and failure is Failure.UNREACHABLE:
        message = "the database file cannot be opened"
        hint = "check the path: its folder must exist, and this user must be allowed to write there"
    if looks and failure is Failure.READ_ONLY and not backend.made_by_connecting:
        message = "this user may not do that"
        hint = "it needs SELECT on what it looks at, topchef_history and topchef_journal among it"
    return UnreachableError(
        f"{message}: {said}" if said not in message else message, where=where, hint=hint
    )


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """Connect to *url*; close the connection and dispose of its engine afterwards."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _same(backend: Backend, url: URL, connection: Connection) -> bool:
    """Whether *url* leads to the very database of *connection*; makes no file to find out."""
    theirs = backends.for_url(url)
    if theirs.made_by_connecting and not theirs.exists(url):
        return False
    with connected(url) as named:
        if backends.for_connection(named) is not backend:
            return False
        return backend.identity(named) == backend.identity(connection)


def _place(url: URL) -> tuple[object, ...]:
    return (url.get_backend_name(), url.host, url.port, url.database, dict(url.query))


def _is_driver_error(cause: BaseException) -> bool:
    """Drivers raise their own errors where no SQLAlchemy statement is under way."""
    if isinstance(cause, OSError):
        return True
    return any(
        each.__name__ in {"OperationalError", "InterfaceError"} for each in type(cause).mro()
    )
