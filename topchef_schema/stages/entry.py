"""Opens the environment door on a project's database, and says in our words what went wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from topchef_schema import backends
from topchef_schema.backends.base import Failure, first_line, safe_label
from topchef_schema.errors import TopchefError, UnreachableError, UsageError
from topchef_schema.model import Environment
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
    """The database that env.py really connected to; *label* has no secret in it."""

    backend: Backend
    label: str
    version_table: str
    version_table_schema: str | None


@dataclass
class Entry:
    """One visit of a project's database through its env.py.

    With *lock_timeout* the migration lock is held from before Alembic's first look at the version
    table until env.py is left: two first upgrades would collide at creating that table.
    """

    project: Project
    lock_timeout: float | None = None
    announce: bool = False
    isolate: bool = False
    literal: Dialect | None = None
    tag: str | None = None
    target: Target | None = None

    def run(self, body: Callable[[Session, Target], T], *, look: bool = False) -> T:
        """Run *body* inside env.py; with *look* nothing is written. Raises `TopchefError`."""
        from sqlalchemy.exc import DBAPIError

        from topchef_schema.bridge.environment import EnvironmentFailed

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

    def _seen(self) -> Target:
        assert self.target is not None
        return self.target

    def _door(self, stack: ExitStack) -> Door:
        from topchef_schema.bridge.environment import Door

        environment = self.project.environment
        connect = None
        name = "unknown"
        if environment.url is not None:
            backend, url = database_url(self.project)
            name = backend.name
            if not environment.drivers:
                rendered = url.render_as_string(hide_password=False)
                environment = replace(environment, url=replace(environment.url, text=rendered))

            def connect() -> Connection:
                return stack.enter_context(connected(_synchronous(url, environment)))

        return Door(
            environment,
            self.project.revisions,
            on_configure=self._configured,
            connect=connect,
            isolate=self.isolate,
            literal=self.literal,
            tag=self.tag,
            backend=name if self.target is None else self.target.backend.name,
        )

    def _configured(self, configured: Configured, stack: ExitStack) -> None:
        connection = configured.connection
        assert connection is not None
        backend = backends.for_connection(connection)
        target = Target(
            backend,
            safe_label(connection.engine.url),
            configured.version_table,
            configured.version_table_schema,
        )
        self._verify(backend, connection)
        if self.announce:
            url = self.project.environment.url
            log.info("database: %s (from %s)", target.label, url.source if url else "env.py")
        self.target = target
        if self.lock_timeout is not None:
            key = f"{configured.version_table_schema or ''}.{configured.version_table}"
            stack.enter_context(backend.lock(connection, key, self.lock_timeout))

    def _verify(self, backend: Backend, connection: Connection) -> None:
        """Refuse a database that is not the one that was named."""
        if self.project.environment.url is None:
            return
        _, url = database_url(self.project)
        reached = connection.engine.url
        if _place(url) == _place(reached):
            return
        with connected(url) as named:
            same = backend.identity(named) == backend.identity(connection)
        if not same:
            raise UsageError(
                f"env.py connected to {safe_label(reached)}, not to {safe_label(url)}",
                where=f"{self.project.environment.config_file}; the URL came from "
                f"{self.project.environment.url.source}",
                hint="say in the [topchef] section how env.py takes its URL: url_env (the "
                "environment variable it reads), url_x (its -x key), url_option (its ini key) or "
                "prepare (a function that sets up the program before it)",
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
            hint="it runs as it does under `alembic`; try `alembic current`",
        )

    def _database_failure(self, cause: BaseException, where: str) -> TopchefError:
        url = self.project.environment.url
        if url is not None:
            backend, parsed = database_url(self.project)
            place = f"{safe_label(parsed)} (from {url.source})"
            return unreachable(backend, cause, place)
        known = self.target.backend if self.target else None
        if known is not None:
            return unreachable(known, cause, self.target.label if self.target else where)
        return UnreachableError(
            self._clean(f"the database cannot be reached: {first_line(cause)}"),
            where=where,
            hint="is the server running, and are host, port, user and database right?",
        )

    def _clean(self, text: str) -> str:
        """Take the password out of what somebody else wrote."""
        url = self.project.environment.url
        if url is not None:
            parsed = parse_url(url)
            if parsed.password:
                text = text.replace(str(parsed.password), "***")
            text = text.replace(url.text, safe_label(parsed))
        return text


def look_first(project: Project) -> None:
    """Run env.py without writing, to find out what it does to a second database.

    Raises `UsageError` where it has one: refused later, the first would be written to already.
    """
    Entry(project).run(lambda session, target: None, look=True)


def database_url(project: Project) -> tuple[Backend, URL]:
    """Return the backend and the URL, with an installed driver, of a project that names one."""
    url = project.environment.url
    assert url is not None
    parsed = parse_url(url)
    backend = backends.for_url(parsed, where=url.source)
    driver = project.environment.drivers.get(parsed.get_backend_name())
    return backend, parsed if driver is not None else backend.with_driver(parsed)


def _synchronous(url: URL, environment: Environment) -> URL:
    """Return the URL that the settings' ``drivers`` make of *url*, unless its driver is async."""
    from sqlalchemy import make_url

    from topchef_schema.bridge.configuration import environment_url

    wanted = make_url(environment_url(environment) or "")
    return url if wanted.get_dialect().is_async else wanted


def require_database(project: Project) -> None:
    """Raise `UnreachableError` where the named database is not there; never creates one."""
    if project.environment.url is None:
        return
    backend, url = database_url(project)
    if not backend.exists(url):
        raise UnreachableError(
            "the database does not exist",
            where=f"{safe_label(url)} (from {project.environment.url.source})",
            hint="check the name, or create it: topchef-db upgrade creates a SQLite file, a "
            "server's databases are created by whoever runs the server",
        )


_HINTS = {
    Failure.UNREACHABLE: "is the server running, and are host and port right?",
    Failure.ACCESS_DENIED: "check user and password; a special character in the password must be "
    "percent-encoded in the URL (@ is %40)",
    Failure.NO_SUCH_DATABASE: "check the name, or create the database first",
    Failure.READ_ONLY: "use a user, or a file, that may be written to",
    Failure.CONNECTION_LOST: "run the same command again once the server is back",
}


def unreachable(backend: Backend, cause: BaseException, where: str) -> UnreachableError:
    """Say in one sentence why a database cannot be reached."""
    failure = backend.failure(cause)
    said = first_line(cause)
    message = str(failure) if failure is not Failure.OTHER else "the database refused"
    hint = _HINTS.get(failure, "see what the server says above")
    if backend.made_by_connecting and failure is Failure.UNREACHABLE:
        message = "the database file cannot be opened"
        hint = "check the path: its folder must exist, and this user must be allowed to write there"
    return UnreachableError(
        f"{message}: {said}" if said not in message else message, where=where, hint=hint
    )


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """Connect to *url*; close the connection and dispose of its engine afterwards."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _place(url: URL) -> tuple[object, ...]:
    return (url.get_backend_name(), url.host, url.port, url.database, dict(url.query))


def _is_driver_error(cause: BaseException) -> bool:
    """Drivers raise their own errors where no SQLAlchemy statement is under way."""
    if isinstance(cause, OSError):
        return True
    return any(
        each.__name__ in {"OperationalError", "InterfaceError"} for each in type(cause).mro()
    )
