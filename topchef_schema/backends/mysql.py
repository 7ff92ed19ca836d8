"""MySQL, from 8.0 on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from topchef_schema import collecting
from topchef_schema.backends import (
    mysql_catalog,
    mysql_lock,
    mysql_protocol,
    mysql_scratch,
    mysql_throwaway,
)
from topchef_schema.backends.literals import write_as_sent
from topchef_schema.backends.mysql_catalog import Catalog, Rows
from topchef_schema.backends.mysql_ddl import MySQLCommits
from topchef_schema.backends.mysql_foresight import MySQLForesight
from topchef_schema.backends.mysql_script import MySQLScripting
from topchef_schema.model import Snapshot

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Dialect
    from sqlalchemy.types import TypeEngine

    from topchef_schema.backends.base import Failure, Held, Server
    from topchef_schema.backends.following import Following
    from topchef_schema.backends.timeouts import Limits, Timeouts


PREPARED = """\
PREPARE topchef_say FROM
  'SELECT @topchef_refused AS refused FROM DUAL WHERE @topchef_refused IS NOT NULL';
PREPARE topchef_stop FROM
  'SET @topchef_stops = IF(@topchef_refused IS NULL, 0, (SELECT 1 UNION SELECT 2))';"""
"""The server has no statement that raises outside of a stored program: this one gives two rows
where one is wanted."""

HOLDERS = """
SELECT m.object_name, t.processlist_id, NULL, t.processlist_info
FROM performance_schema.metadata_locks m
JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id
WHERE m.lock_status = 'GRANTED' AND m.object_type = 'TABLE' AND m.object_schema = database()
"""

REDO = "--innodb-redo-log-capacity=32M"

MANY_TABLES = ("--max-connections=2000", "--table-open-cache-instances=1")
"""Lets the server keep what it has read of two thousand tables.

It keeps the definitions of as many tables as there may be connections
(Shared_dictionary_cache::init), and one session opens tables in one of 16 caches, 250 in each.
Where it may open few files, it takes less by itself.
"""

NO_SYNC = "--innodb-flush-method=nosync"
"""Nothing here outlives a crash of this machine."""

MAKERS = mysql_throwaway.Makers(
    name="mysql",
    title="MySQL",
    names=("mysqld",),
    places=(
        "/usr/sbin",
        "/usr/libexec",
        "/usr/local/mysql/bin",
        "/opt/mysql/*/bin",
        "/opt/homebrew/opt/mysql*/bin",
        "/usr/local/opt/mysql*/bin",
    ),
    recognises=lambda said: "Ver " in said and "MariaDB" not in said,
    initialise=lambda program, first: [program, *first, "--initialize-insecure", REDO],
    check=("--validate-config", "--secure-file-priv=NULL"),
    options=("--secure-file-priv=NULL", "--loose-mysqlx=OFF", REDO, *MANY_TABLES, NO_SYNC),
    hint="install it (apt install mysql-server on Ubuntu, dnf install mysql-server, "
    "brew install mysql)",
)


class MySQL:
    """MySQL, whose DDL commits by itself."""

    name = "mysql"
    title = "MySQL"
    dialects = frozenset({"mysql"})
    transactional_ddl = False
    offline_url = "mysql+pymysql://"
    made_by_connecting = False
    foresight = MySQLForesight()
    online = True
    scripting = MySQLScripting(
        "MySQL",
        other="VERSION() LIKE '%MariaDB%'",
        run_with="mysql --comments --batch --database=NAME < THIS_FILE",
        programs=("mysql",),
        recognises=lambda said: "MariaDB" not in said,
        prepared=PREPARED,
        stop="EXECUTE topchef_say; EXECUTE topchef_stop;",
    )

    @cached_property
    def commit_rules(self) -> MySQLCommits:
        """Those of both, which ask for the schema in the words of each."""
        return MySQLCommits(self.snapshot)

    def with_driver(self, url: URL) -> URL:
        """Return *url* with mysqlclient, else PyMySQL."""
        return mysql_protocol.with_driver(url, extra="mysql")

    def synchronous(self, url: URL) -> URL:
        """Return *url* with mysqlclient or PyMySQL where its driver needs an event loop."""
        return mysql_protocol.synchronous(url, extra="mysql")

    def exists(self, url: URL) -> bool:
        """Whether the database is there."""
        return mysql_protocol.exists(url)

    def version(self, connection: Connection) -> str:
        """Return what the server says of itself."""
        return str(mysql_protocol.one(connection, "SELECT version()")[0])

    def identity(self, connection: Connection) -> str:
        """Name the database: a server is known by its UUID, a copied one by its place."""
        return mysql_protocol.identity(connection, server="@@server_uuid")

    def user(self, connection: Connection) -> str | None:
        """Return the account that the server took us for."""
        return mysql_protocol.user(connection)

    def failure(self, error: BaseException) -> Failure:
        """Say what an error means, by its number."""
        return mysql_protocol.failure(error)

    def lock(
        self, connection: Connection, key: str, timeout: float, run_id: str = ""
    ) -> AbstractContextManager[Held]:
        """Hold a lock of the server by name, on *connection* itself."""
        self.commit_rules.forget()
        return mysql_lock.held(connection, key, timeout, run_id)

    def lock_holder(self, connection: Connection, key: str) -> str | None:
        """Ask the server which session holds the lock."""
        return mysql_lock.holder(connection, key)

    def timeouts(self, connection: Connection, limits: Limits) -> Timeouts:
        """Return what sets them in the session; a statement is ended from a second one."""
        from topchef_schema.backends.mysql_timeouts import MySQLTimeouts

        return MySQLTimeouts(connection, limits, (HOLDERS,), self.failure)

    @collecting.paused()
    def snapshot(self, connection: Connection, exclude: Collection[str] = ()) -> Snapshot:
        """Return the schema as SHOW CREATE and ``information_schema`` tell it."""
        with mysql_catalog.reading(connection, exclude) as catalog:
            shown = mysql_catalog.shown(catalog, mysql_catalog.listed(catalog), _batch)
            algorithms = {}
            objects = mysql_catalog.database_options(catalog, "default_encryption")
            for each, row in shown.items():
                if each.word != "VIEW":
                    objects |= mysql_catalog.definitions(catalog, each, row)
                elif row is not None:
                    algorithms[each.name] = _algorithm(row[1])
            objects |= mysql_catalog.views(catalog, algorithms=algorithms)
            objects |= mysql_catalog.programs(catalog)
        return Snapshot(objects)

    def column_type(self, definition: str) -> TypeEngine[Any] | None:
        """Return None: SQLAlchemy knows the types again."""

    def following(self, exclude: Collection[str] = ()) -> Following:
        """Return what reads again the tables that statements have named."""
        from topchef_schema.backends.mysql_following import Following

        return Following(exclude, partial(self.snapshot, exclude=exclude), _batch)

    def run_script(self, url: URL, script: str) -> None:
        """Send everything at once, and hear the answer to each statement."""
        mysql_protocol.run_script(url, script)

    def server(self, url: URL | None = None) -> Server:
        """Open the server at *url*, else start one from the ``mysqld`` that is MySQL's."""
        if url is not None:
            return mysql_scratch.named(self.with_driver(url), self.name)
        return mysql_throwaway.start(MAKERS, self.with_driver)

    def disposable(self, connection: Connection) -> None:
        """Do nothing: when a commit is on the disk, only the whole server can decide."""

    def inform(self, dialect: Dialect) -> None:
        """Say how values are sent."""
        write_as_sent(dialect, binary="X'{}'", carriage_return="\\r", zones=False)


def _algorithm(statement: str) -> str:
    """Return the algorithm of a view, which is nowhere in ``information_schema``."""
    found = re.search(r"\bALGORITHM=(\w+)", statement)
    return found[1] if found else ""


def _batch(catalog: Catalog, statements: Sequence[str]) -> list[Rows]:
    with _several_statements(catalog.connection):
        return catalog.answers("; ".join(statements))


@contextmanager
def _several_statements(connection: Connection) -> Iterator[None]:
    """Let *connection* take several statements at once, which PyMySQL does not by itself.

    Only while this lasts: a revision must not get away with them here and fail elsewhere.
    mysqlclient takes them anyway; with other drivers the attempt fails, and single ones are sent.
    """
    raw: Any = connection.connection.dbapi_connection
    if (
        not type(raw).__module__.startswith("pymysql.")
        or raw.client_flag & mysql_protocol.MULTI_STATEMENTS
    ):
        yield
        return
    _set_option(raw, ON)
    try:
        yield
    finally:
        if raw.open:
            _set_option(raw, OFF)


# https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_set_option.html
COM_SET_OPTION = 0x1B
ON, OFF = b"\x00\x00", b"\x01\x00"


def _set_option(raw: Any, option: bytes) -> None:
    raw._execute_command(COM_SET_OPTION, option)
    raw._read_packet()


BACKEND = MySQL()
