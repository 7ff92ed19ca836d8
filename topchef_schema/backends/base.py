"""What a database must offer to be a backend, whatever is peculiar to it inside.

A backend is one file in this folder that defines ``BACKEND``, an instance of a class with the
members of :class:`Backend`. The contract suite in ``tests/backends/`` picks it up from there.
Backends do not inherit from each other; what two share is a function called by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from topchef_schema.backends.driver_message import driver_message

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Dialect
    from sqlalchemy.types import TypeEngine

    from topchef_schema.backends.following import Following
    from topchef_schema.backends.scripting import Scripting
    from topchef_schema.backends.timeouts import Limits, Timeouts
    from topchef_schema.model import Snapshot, TableName

SCRATCH_PREFIX = "topchef_scratch_"
"""Every scratch database and scratch user is named with this and a random rest."""


class Failure(StrEnum):
    """What an error of the driver means, in words that are the same for all databases."""

    UNREACHABLE = "the server cannot be reached"
    ACCESS_DENIED = "the server refuses this user or password"
    NO_SUCH_DATABASE = "the database does not exist"
    READ_ONLY = "the database is read-only for this user"
    LOCK_TIMEOUT = "a lock was not granted in time"
    DEADLOCK = "two sessions waited for each other"
    CANCELLED = "the statement was cancelled"
    CONNECTION_LOST = "the connection was lost"
    DISK_FULL = "the disk is full"
    ALREADY_EXISTS = "an object exists already"
    OTHER = "the statement failed"


@dataclass(frozen=True, slots=True)
class ScratchDatabase:
    """A database of our making; *url* carries the password of the user that works in it."""

    name: str
    url: URL


Held = Callable[[], bool]
"""Says whether a lock is still held; so cheap that it may be called before each statement."""


class Server(Protocol):
    """A server that holds scratch databases; closing it removes all that it made.

    A throwaway server is one of our own, started from binaries found on this machine and stopped
    on close. A named server is someone's: on it, revisions run as a user of our making with
    rights on the scratch database alone, where the given user may create one.
    """

    version: str
    """The server's own version string."""

    throwaway: bool

    url: URL
    """The administrator's URL, password included: `Backend.server(url)` opens the same server
    a second time, as one that is named. For SQLite, which has no server, a database in memory."""

    def create(self) -> ScratchDatabase:
        """Make an empty scratch database; raises `UnreachableError` where the server refuses."""

    def recreate(self, database: ScratchDatabase) -> None:
        """Make *database* empty again, under its name, whoever is still connected."""

    def copy(self, database: ScratchDatabase) -> ScratchDatabase:
        """Make a scratch database that is what *database* is, for the same user.

        Nobody may be connected to *database* meanwhile, and it has to outlive its copies. What
        a server cannot copy may be missing: compare the two once. Raises `UnreachableError`.
        """

    def drop(self, database: ScratchDatabase) -> None:
        """Remove *database* and its user; one that is gone already is no error."""

    def keep(self, database: ScratchDatabase) -> bool:
        """Let *database* outlive this object, as a leftover; false where it cannot."""

    def leftovers(self) -> list[str]:
        """Names of scratch databases that nobody is connected to, of whatever run."""

    def remove(self, name: str) -> None:
        """Remove the leftover *name*, which must start with `SCRATCH_PREFIX`."""

    def close(self) -> None:
        """Drop what was made; stop a throwaway server and remove its directory."""


class Foresight(Protocol):
    """What can be told of work on a database before it is done."""

    def tables(self, connection: Connection) -> Mapping[TableName, int | None]:
        """Return each table, and how many rows the server believes it has; None: it cannot tell.

        One that its bare name leads to is there without its schema, too.
        """

    def time_limit(
        self, connection: Connection, seconds: float
    ) -> AbstractContextManager[Connection]:
        """Let a question fail that takes longer than *seconds*, and leave nothing behind.

        Inside of a transaction an error in there does not end it.
        """


@dataclass(frozen=True, slots=True)
class Leftover:
    """An object that is in no revision: its name, what it is, and what to do about it."""

    rule: str
    object: str
    message: str
    remedy: str


class CommitRules(Protocol):
    """What commits on one database, and how one learns afterwards whether it was done."""

    @property
    def one_writer(self) -> bool:
        """Whether a connection that has written keeps all others from writing."""

    def commits_alone(self, sql: str) -> bool:
        """Whether *sql* ends the transaction it is sent in."""

    def needs_autocommit(self, sql: str) -> bool:
        """Whether *sql* cannot be, or does nothing, in a transaction."""

    def before(self, connection: Connection, sql: str) -> str | None:
        """Return a digest of what the catalog says of the object that *sql* is to change."""

    def takes_along(self, connection: Connection, sql: str) -> str | None:
        """Say which rows *sql* would delete or change that it does not speak of, and why."""

    def begin(self, connection: Connection) -> None:
        """Open a transaction, if none is open and the driver would not open one for DDL."""

    def took_effect(self, connection: Connection, sql: str, before: str | None) -> bool | None:
        """Say whether an interrupted statement was done; None where nobody can know.

        *before* is what `before` had returned. Only reads.
        """

    def clear_away(self, connection: Connection, sql: str) -> None:
        """Remove what a statement left that did not take effect, so that it can be sent again."""

    def leftovers(self, connection: Connection) -> tuple[Leftover, ...]:
        """Return what interrupted statements of any tool left in the schema. Only reads."""


class Backend(Protocol):
    """A database the toolkit works on."""

    name: str
    """The word for ``--on``: ``sqlite``, ``postgresql`` …"""

    title: str
    """The name as its makers write it."""

    dialects: frozenset[str]
    """The dialect names of URLs that belong to it: ``{"postgresql"}``."""

    transactional_ddl: bool
    """Whether a failed revision, as Alembic drives it here, leaves nothing behind."""

    offline_url: str
    """A URL from which Alembic renders SQL without a driver or a server."""

    made_by_connecting: bool
    """Whether connecting to a database that is not there makes it: a file is, a server's is not."""

    @property
    def foresight(self) -> Foresight | None:
        """What can be told beforehand; None for an offline-only backend."""

    @property
    def commit_rules(self) -> CommitRules | None:
        """What commits there; None for an offline-only backend."""

    @property
    def scripting(self) -> Scripting:
        """The words of a script for its own client."""

    online: bool
    """Whether it can be connected to; an offline-only backend can only render SQL."""

    def with_driver(self, url: URL) -> URL:
        """Return *url* with a driver that is installed here.

        Keeps a driver that the URL names. Raises `UnreachableError` naming the extra to install.
        """

    def synchronous(self, url: URL) -> URL:
        """Return *url* with an installed driver that needs no event loop."""

    def exists(self, url: URL) -> bool:
        """Whether the database is there, without creating it; may connect."""

    def version(self, connection: Connection) -> str:
        """Return the server's own version string."""

    def identity(self, connection: Connection) -> str:
        """Name the very database behind *connection*: equal for two connections to one."""

    def user(self, connection: Connection) -> str | None:
        """Return the database user, None where the database knows no users."""

    def failure(self, error: BaseException) -> Failure:
        """Say what an error of the driver or of SQLAlchemy means."""

    def lock(
        self, connection: Connection, key: str, timeout: float, run_id: str = ""
    ) -> AbstractContextManager[Held]:
        """Hold the migration lock *key* of the database behind *connection*.

        Tries for *timeout* seconds (0: once), never blocking in the server, and raises
        `LockedError` naming the holder, by *run_id* too, as far as it can be seen. The server or
        the kernel releases it when the holder dies. Leaves *connection* out of any transaction it
        was not in. Gives what says whether the lock is still held.
        """

    def lock_holder(self, connection: Connection, key: str) -> str | None:
        """Say who holds the migration lock *key* now, None where nobody does. Only reads."""

    def timeouts(self, connection: Connection, limits: Limits) -> Timeouts:
        """Return what keeps the statements of revisions on *connection* within *limits*."""

    def snapshot(self, connection: Connection, exclude: Collection[str] = ()) -> Snapshot:
        """Return the canonical schema, read from the server's own catalog.

        *exclude* names tables (unqualified) to leave out with all that hangs on them. Leaves out
        counters, statistics and the database's own name. Takes a handful of queries, whatever
        the number of tables.
        """

    def column_type(self, definition: str) -> TypeEngine[Any] | None:
        """Return the type of a column with that *definition* in a snapshot; None: SQLAlchemy's.

        That is what it reads back; not everywhere does it know a type again.
        """

    def following(self, exclude: Collection[str] = ()) -> Following:
        """Return what follows one database, and reads only what has changed since the last time."""

    def run_script(self, url: URL, script: str) -> None:
        """Run the statements of *script*, which the driver or the server splits, and commit.

        *url* names a driver that needs no event loop. Raises what the driver raises.
        """

    def server(self, url: URL | None = None) -> Server:
        """Open a server for scratch work: the one at *url*, else a throwaway one.

        Raises `UnreachableError` that says what to install where there is none.
        """

    def disposable(self, connection: Connection) -> None:
        """Let *connection*, which is to a scratch database, wait for no disk, where a session can.

        Leaves it out of any transaction it was not in. What cannot be had is done without.
        """

    def inform(self, dialect: Dialect) -> None:
        """Tell a dialect that never connects what a server, and a driver, would have told it."""


def scratch_name() -> str:
    """Return a new name for a scratch database."""
    import secrets

    return SCRATCH_PREFIX + secrets.token_hex(6)


def attempts(timeout: float) -> Iterator[int]:
    """Count attempts, the first at once, until *timeout* seconds are over.

    Sleeps between them, never twice equally long, so that waiters do not march in step.
    """
    import random
    import time

    from topchef_schema import stopping

    deadline = time.monotonic() + timeout
    number = 0
    while True:
        yield number
        number += 1
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, random.uniform(0.05, 0.25)))
        stopping.check()


@contextmanager
def driver_connection(url: URL) -> Iterator[Any]:
    """Connect to *url*, and yield the connection of the driver itself."""
    from sqlalchemy import NullPool, create_engine

    connection = create_engine(url, poolclass=NullPool).raw_connection()
    try:
        yield connection.driver_connection
    finally:
        connection.close()


@contextmanager
def undisturbed(connection: Connection) -> Iterator[None]:
    """Read from *connection*, and leave it out of any transaction it was not in."""
    inside = connection.in_transaction()
    try:
        yield
    finally:
        if not inside:
            connection.rollback()


def asked_beside(connection: Connection, sql: str) -> tuple[tuple[str, ...], list[Any]]:
    """Return columns and rows of *sql* as the driver gives them, in the transaction of now.

    Past SQLAlchemy, which takes twice as long, and past whoever listens there; not with drivers
    that are asynchronous: it knows when the plans of asyncpg are void. Raises what either raises.
    """
    if connection.dialect.is_async:
        result = connection.exec_driver_sql(sql)
        return tuple(result.keys()), list(result)
    if not connection.in_transaction():
        connection.begin()
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(sql, ())
        return tuple(each[0] for each in cursor.description), list(cursor.fetchall())


@contextmanager
def at_return(connection: Connection, action: Callable[[Any], None]) -> Iterator[None]:
    """Call *action* with the driver's own connection when *connection* goes back to its pool.

    env.py closes its connection before we have our turn again: a pool keeps the session, and what
    hangs on it, and that of an async engine can be spoken to no more. What *action* raises is lost.
    """
    from sqlalchemy import event

    mine = connection.connection.dbapi_connection

    def returned(driver_connection: Any, record: object) -> None:
        if driver_connection is mine:
            with suppress(Exception):
                action(driver_connection)

    event.listen(connection.engine, "checkin", returned)
    try:
        yield
    finally:
        event.remove(connection.engine, "checkin", returned)


def safe_label(url: URL) -> str:
    """Return *url* without its password and query, for messages and reports."""
    return url.set(query={}).render_as_string(hide_password=True)


def first_line(error: BaseException) -> str:
    """Return the first line of what the driver said, without SQL and without bound values."""
    return driver_message(error).splitlines()[0]


def runtime_directory(name: str, within: str | None = None) -> Path:
    """Make a new private directory (mode 0700) for a server or a file database of our own.

    It lies *within* that folder, else where temporary files usually are.
    """
    import tempfile

    return Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{name}_", dir=within))
