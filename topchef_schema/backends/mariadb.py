"""MariaDB, from 10.6 on."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from pathlib import Path
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
from topchef_schema.backends.mysql_foresight import MariaDBForesight
from topchef_schema.backends.mysql_script import MySQLScripting
from topchef_schema.errors import UnreachableError
from topchef_schema.model import Snapshot

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Dialect
    from sqlalchemy.types import TypeEngine

    from topchef_schema.backends.base import Failure, Held, Server
    from topchef_schema.backends.following import Following
    from topchef_schema.backends.timeouts import Limits, Timeouts


PREPARED = """\
PREPARE topchef_stop FROM 'BEGIN NOT ATOMIC IF @topchef_refused IS NOT NULL THEN
  SIGNAL SQLSTATE ''45000'' SET MESSAGE_TEXT = @topchef_refused; END IF; END';"""

HOLDERS = """
SELECT table_name, thread_id, NULL, NULL FROM information_schema.metadata_lock_info
WHERE table_schema = database() AND lock_type = 'Table metadata lock'
"""
"""Where the plugin of that name is installed."""

JSON_COLUMN = re.compile(
    r"longtext COLLATE utf8mb4_bin\b.* CHECK \(json_valid\(`(?:[^`]|``)+`\)\)", re.DOTALL
)
"""https://mariadb.com/kb/en/json-data-type/"""

REDO = "--innodb-log-file-size=32M"


def _initialise(program: Path, first: Sequence[str]) -> list[str | Path]:
    """Return the installation script that lies with *program*: beside it, or in ../bin."""
    base = program.resolve().parent.parent
    folders = (program.parent, base / "bin", base / "scripts")
    names = ("mariadb-install-db", "mysql_install_db")
    found = [folder / name for folder in folders for name in names if (folder / name).is_file()]
    if not found:
        raise UnreachableError(
            f"{program} has no mariadb-install-db with it",
            where=str(base),
            hint=f"install all of MariaDB's server: {INSTALL}",
        )
    options = [each for each in first if each != "--no-defaults"]
    return [
        found[0],
        "--no-defaults",
        *options,
        f"--basedir={base}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        REDO,
    ]


INSTALL = "apt install mariadb-server, dnf install mariadb-server, brew install mariadb"

MAKERS = mysql_throwaway.Makers(
    name="mariadb",
    title="MariaDB",
    names=("mariadbd", "mysqld"),
    places=(
        "/usr/sbin",
        "/usr/libexec",
        "/usr/local/mysql/bin",
        "/opt/mariadb*/bin",
        "/opt/homebrew/opt/mariadb*/bin",
        "/usr/local/opt/mariadb*/bin",
    ),
    recognises=lambda said: "MariaDB" in said,
    initialise=_initialise,
    check=("--verbose", "--help"),
    options=(REDO, "--loose-debug-no-sync"),
    hint=f"install it ({INSTALL})",
)


class MariaDB:
    """MariaDB, whose DDL commits by itself."""

    name = "mariadb"
    title = "MariaDB"
    dialects = frozenset({"mariadb"})
    transactional_ddl = False
    offline_url = "mariadb+pymysql://"
    made_by_connecting = False
    foresight = MariaDBForesight()
    online = True
    scripting = MySQLScripting(
        "MariaDB",
        other="VERSION() NOT LIKE '%MariaDB%'",
        run_with="mariadb --comments --batch --database=NAME < THIS_FILE",
        programs=("mariadb", "mysql"),
        recognises=lambda said: "MariaDB" in said,
        prepared=PREPARED,
        stop="EXECUTE topchef_stop;",
        statement_variable="max_statement_time",
    )

    @cached_property
    def commit_rules(self) -> MySQLCommits:
        """Those of both, which ask for the schema in the words of each."""
        return MySQLCommits(self.snapshot)

    def with_driver(self, url: URL) -> URL:
        """Return *url* with mysqlclient, else PyMySQL."""
        return mysql_protocol.with_driver(url, extra="mariadb")

    def synchronous(self, url: URL) -> URL:
        """Return *url* with mysqlclient or PyMySQL where its driver needs an event loop."""
        return mysql_protocol.synchronous(url, extra="mariadb")

    def exists(self, url: URL) -> bool:
        """Whether the database is there."""
        return mysql_protocol.exists(url)

    def version(self, connection: Connection) -> str:
        """Return what the server says of itself."""
        return str(mysql_protocol.one(connection, "SELECT version()")[0])

    def identity(self, connection: Connection) -> str:
        """Name the database: a server is known by its host and place, it has no UUID."""
        return mysql_protocol.identity(connection, server="''")

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
        """Return what sets them in the session."""
        from topchef_schema.backends.mysql_timeouts import MySQLTimeouts

        return MySQLTimeouts(connection, limits, (HOLDERS,), self.failure, "max_statement_time")

    @collecting.paused()
    def snapshot(self, connection: Connection, exclude: Collection[str] = ()) -> Snapshot:
        """Return the schema as SHOW CREATE and ``information_schema`` tell it."""
        with mysql_catalog.reading(connection, exclude) as catalog:
            listed = [each for each in mysql_catalog.listed(catalog) if each.word != "VIEW"]
            objects = mysql_catalog.database_options(catalog, "schema_comment")
            for each, row in mysql_catalog.shown(catalog, listed, _batch).items():
                objects |= mysql_catalog.definitions(catalog, each, row)
            objects |= mysql_catalog.views(catalog, algorithm="algorithm")
            objects |= mysql_catalog.programs(catalog)
        return Snapshot(objects)

    def column_type(self, definition: str) -> TypeEngine[Any] | None:
        """Return JSON for what it is an alias of: a long text, checked to be a document."""
        from sqlalchemy import JSON

        return JSON() if JSON_COLUMN.fullmatch(definition) else None

    def following(self, exclude: Collection[str] = ()) -> Following:
        """Return what reads again the tables that statements have named."""
        from topchef_schema.backends.mysql_following import Following

        return Following(exclude, partial(self.snapshot, exclude=exclude), _batch)

    def run_script(self, url: URL, script: str) -> None:
        """Send everything at once, and hear the answer to each statement."""
        mysql_protocol.run_script(url, script)

    def server(self, url: URL | None = None) -> Server:
        """Open the server at *url*, else start one from the MariaDB that is installed."""
        if url is not None:
            return mysql_scratch.named(self.with_driver(url), self.name)
        return mysql_throwaway.start(MAKERS, self.with_driver)

    def disposable(self, connection: Connection) -> None:
        """Do nothing: when a commit is on the disk, only the whole server can decide."""

    def inform(self, dialect: Dialect) -> None:
        """Say that it is MariaDB: a dialect called mysql would learn it by connecting."""
        dialect._set_mariadb(is_mariadb=True, server_version_info=())  # type: ignore[attr-defined]
        write_as_sent(dialect, binary="X'{}'", carriage_return="\\r", zones=False)


def _batch(catalog: Catalog, statements: Sequence[str]) -> list[Rows]:
    """Send *statements* as one block, which any driver takes; its own end is an answer too.

    https://mariadb.com/kb/en/begin-end/
    """
    answers = catalog.answers(f"BEGIN NOT ATOMIC {'; '.join(statements)}; END")
    return answers[: len(statements)]


BACKEND = MariaDB()
