"""What MySQL and MariaDB share, since they speak one protocol: drivers, error numbers, the lock."""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import (
    Failure,
    driver_connection,
    first_line,
    safe_label,
    undisturbed,
)
from topchef_schema.backends.driver_rows import AT_ONCE
from topchef_schema.backends.scripting import with_semicolon
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, CursorResult

# https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html
# https://mariadb.com/kb/en/mariadb-error-code-reference/
NUMBERS: Mapping[int, Failure] = {
    **dict.fromkeys((1040, 1129, 1130, 2002, 2003, 2005, 2026), Failure.UNREACHABLE),
    **dict.fromkeys((1044, 1045, 1227, 1698, 1820, 1862, 3118, 4151), Failure.ACCESS_DENIED),
    1049: Failure.NO_SUCH_DATABASE,
    **dict.fromkeys((1142, 1143, 1370, 1792, 1836, 3989), Failure.READ_ONLY),
    **dict.fromkeys((1021, 1114), Failure.DISK_FULL),
    # 1684 is a table that another session is making, or altering: MySQL does not wait for it.
    **dict.fromkeys((1205, 1684, 3572), Failure.LOCK_TIMEOUT),
    **dict.fromkeys((1213, 1614, 3058), Failure.DEADLOCK),
    **dict.fromkeys((1317, 1969, 3024), Failure.CANCELLED),
    **dict.fromkeys((0, 1053, 1927, 2006, 2013, 2014, 2055, 4031), Failure.CONNECTION_LOST),
    **dict.fromkeys(
        (1007, 1022, 1050, 1060, 1061, 1068, 1304, 1359, 1517, 1537, 1826, 3822),
        Failure.ALREADY_EXISTS,
    ),
}

CANNOT_CREATE_TABLE = 1005
"""MariaDB's word for whatever InnoDB says; ``errno: 121`` is a name that exists already."""

NO_SPACE = re.compile(r"\b28\b")
"""The operating system's number, in what MySQL says of a file that it cannot write."""

OPTION_PREVENTS = 1290
"""The server runs with some option, which may be ``--read-only`` or one that has nothing to do
with it (``--secure-file-priv``): only the message tells."""

MULTI_STATEMENTS = 0x10000
"""https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html"""

QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`""", re.DOTALL)

LOCAL = ("", "localhost", "127.0.0.1", "::1")


def number(error: BaseException) -> int | None:
    """Return the server's or the driver's number of *error*, None where it has none."""
    cause: BaseException | None = error
    while cause is not None:
        first = cause.args[0] if cause.args else None
        if isinstance(first, int) and not isinstance(cause, OSError):
            return first
        cause = getattr(cause, "orig", None) or cause.__cause__
    return None


def failure(error: BaseException) -> Failure:
    """Say what an error of the driver or of SQLAlchemy means, by its number."""
    code = number(error)
    if code == OPTION_PREVENTS and "read-only" in str(error).replace("_", "-"):
        return Failure.READ_ONLY
    if code == CANNOT_CREATE_TABLE and "errno: 121" in str(error):
        return Failure.ALREADY_EXISTS
    if code in (3, 1026, 1030) and NO_SPACE.search(str(error)):
        return Failure.DISK_FULL
    if code is not None and code in NUMBERS:
        return NUMBERS[code]
    if getattr(error, "connection_invalidated", False):
        return Failure.CONNECTION_LOST
    return Failure.OTHER


def with_driver(url: URL, *, extra: str) -> URL:
    """Return *url* with a driver that is installed: mysqlclient, else PyMySQL.

    PyMySQL asks for TLS, which costs 120 ms per connection and on this machine protects nothing:
    it is told not to, unless the URL itself says something about TLS. Raises `UnreachableError`
    naming the *extra* to install.
    """
    from sqlalchemy.exc import NoSuchModuleError

    if "+" not in url.drivername:
        url = url.set(drivername=f"{url.drivername}+{_installed_driver(url, extra)}")
    try:
        url.get_dialect().import_dbapi()
    except (ImportError, NoSuchModuleError) as error:
        raise _no_driver(url, extra) from error
    if url.get_driver_name() == "pymysql" and _needs_no_tls(url):
        return url.update_query_dict({"ssl_disabled": "true"})
    return url


def synchronous(url: URL, *, extra: str) -> URL:
    """Return *url* with an installed driver that needs no event loop."""
    url = with_driver(url, extra=extra)
    if url.get_dialect().is_async:
        return with_driver(url.set(drivername=url.get_backend_name()), extra=extra)
    return url


def run_script(url: URL, script: str) -> None:
    """Run the statements of *script*, which the server splits."""
    several = url.update_query_dict({"client_flag": str(MULTI_STATEMENTS)})
    with driver_connection(several) as connection, connection.cursor() as cursor:
        cursor.execute(script)
        while cursor.nextset():
            pass
        connection.commit()


def terminated(sql: str) -> str:
    """Return *sql* as the client needs it: what ends at a semicolon must hold none.

    The body of a trigger or a procedure does; there the client is told another delimiter.
    """
    body = with_semicolon(sql)
    if ";" not in QUOTED.sub("", body[:-1]):
        return body
    own = (f"$${number}" for number in itertools.count())
    delimiter = next(each for each in itertools.chain((";;", "$$", "//"), own) if each not in body)
    return f"DELIMITER {delimiter}\n{body[:-1]}{delimiter}\nDELIMITER ;"


def _installed_driver(url: URL, extra: str) -> str:
    for module, driver in (("MySQLdb", "mysqldb"), ("pymysql", "pymysql")):
        if importlib.util.find_spec(module) is not None:
            return driver
    raise _no_driver(url, extra)


def _no_driver(url: URL, extra: str) -> UnreachableError:
    return UnreachableError(
        f'the driver that "{url.drivername}://" needs is not installed',
        where=safe_label(url),
        hint=f'pip install "topchef-schema[{extra}]", and write {extra}+pymysql://',
    )


def _needs_no_tls(url: URL) -> bool:
    if any(name.startswith("ssl") for name in url.query):
        return False
    if "unix_socket" in url.query:
        return True
    # MySQL's usual password method needs either TLS or this package.
    return (url.host or "") in LOCAL and importlib.util.find_spec("cryptography") is not None


def connect(url: URL) -> Connection:
    """Connect to *url* for statements that commit at once.

    The engine keeps no connection: closing this one leaves nothing open. Raises
    `UnreachableError`.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    url = synchronous(url, extra=url.get_backend_name())
    # SQLAlchemy's dialect "mariadb" refuses a MySQL server before we can say what it is.
    plain = url.set(drivername=f"mysql+{url.get_driver_name()}")
    try:
        engine = create_engine(plain, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        return engine.connect()
    except DBAPIError as error:
        raise unreachable(error, url) from error.orig
    except (TypeError, ValueError) as error:
        # What stands behind the "?" is handed to the driver, which checks nothing of it before.
        raise UnreachableError(
            f"the driver {url.get_driver_name()} cannot use this URL: {first_line(error)}",
            where=safe_label(url),
            hint='what stands behind the "?" of the URL must be options of that driver',
        ) from error
    except RuntimeError as error:
        raise unreachable(error, url) from error  # PyMySQL misses the package "cryptography"


@contextmanager
def session(url: URL) -> Iterator[Connection]:
    """Connect to *url* for a while; any failure is an `UnreachableError`."""
    from sqlalchemy.exc import DBAPIError

    with connect(url) as connection:
        try:
            yield connection
        except DBAPIError as error:
            # Not the error itself, which shows the statement: that may hold a password.
            raise unreachable(error, url) from error.orig


def exists(url: URL) -> bool:
    """Whether the database of *url* is there; raises `UnreachableError` where none can tell."""
    try:
        with session(url):
            return True
    except UnreachableError as error:
        if failure(error) is Failure.NO_SUCH_DATABASE:
            return False
        raise


def unreachable(error: BaseException, url: URL) -> UnreachableError:
    """Return the error that the server of *url* does not let us in, or not do that."""
    meaning = failure(error)
    said = "the database refused" if meaning is Failure.OTHER else str(meaning)
    return UnreachableError(
        f"{said}: {first_line(error)}",
        where=safe_label(url),
        hint="is the server running, and are host, port, user, password and database right?",
    )


def one(connection: Connection, sql: str) -> tuple[Any, ...]:
    """Return the only row of a question, and leave *connection* as it was."""
    with undisturbed(connection):
        return tuple(connection.exec_driver_sql(sql).one())


def run(connection: Connection, sql: str) -> CursorResult[*tuple[Any, ...]]:
    """Run *sql*, in which a percent sign is only a percent sign."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True, **AT_ONCE})


def identity(connection: Connection, *, server: str) -> str:
    """Name the database by its server and its name; *server* is SQL for what else it is known by.

    A server may have a copied UUID, and two containers have the same paths and ports.
    """
    *place, database, folding = one(
        connection,
        f"SELECT {server}, @@hostname, @@port, @@socket, @@datadir, database(), "
        "@@lower_case_table_names",
    )
    name = str(database or "")
    return " ".join(map(str, place)) + f" {name.lower() if folding else name}"


def user(connection: Connection) -> str:
    """Return the account that the server took us for, which is not always what we said."""
    return str(one(connection, "SELECT current_user()")[0])


def processes(connection: Connection) -> list[Mapping[str, Any]]:
    """Return the sessions of the server that the user may see: all only with PROCESS."""
    with undisturbed(connection):
        return [dict(row) for row in connection.exec_driver_sql("SHOW PROCESSLIST").mappings()]
