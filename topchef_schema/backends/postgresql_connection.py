"""Ways to a PostgreSQL server: its drivers, their URLs, and a transaction that leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from topchef_schema.backends.base import safe_label, undisturbed
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

PREFERRED = ("psycopg", "psycopg2")
MODULES = {"psycopg_async": "psycopg"}
EXTRAS = {"psycopg": "postgresql", "psycopg_async": "postgresql", "asyncpg": "async"}
ASYNCPG_ONLY = ("prepared_statement_cache_size", "prepared_statement_name_func")


def with_driver(url: URL) -> URL:
    """Return *url* with the driver it names, else with one that is installed.

    Raises `UnreachableError` naming what to install.
    """
    if "+" in url.drivername:
        driver = url.get_driver_name()
        if not _importable(driver):
            extra = EXTRAS.get(driver)
            raise UnreachableError(
                f"the driver {driver} cannot be imported",
                where=safe_label(url),
                hint=f'pip install "topchef-schema[{extra}]"' if extra else f"pip install {driver}",
            )
        return url
    for driver in PREFERRED:
        if _importable(driver):
            return url.set(drivername=f"{url.drivername}+{driver}")
    raise UnreachableError(
        "no driver for PostgreSQL is installed",
        where=safe_label(url),
        hint='pip install "topchef-schema[postgresql]"',
    )


def synchronous(url: URL) -> URL:
    """Return *url* with a driver that needs no event loop, and its options in libpq's words."""
    url = with_driver(url)
    if not url.get_dialect().is_async:
        return url
    query = {key: value for key, value in url.query.items() if key not in ASYNCPG_ONLY}
    if "ssl" in query:
        mode = query.pop("ssl")
        query["sslmode"] = "require" if mode in ("true", "True", "1") else mode
    return with_driver(url.set(drivername="postgresql", query=query))


def _importable(driver: str) -> bool:
    # Importing, because psycopg without libpq is installed and yet of no use.
    try:
        __import__(MODULES.get(driver, driver))
    except ImportError:
        return False
    return True


@contextmanager
def passing_transaction(connection: Connection) -> Iterator[None]:
    """Be in a transaction, and leave neither it nor what was set in it behind.

    Inside a transaction of the caller it is a savepoint; and it is a real one where the driver is
    in autocommit mode, so that SQLAlchemy's own transaction would send no BEGIN.
    """
    if getattr(connection.connection.dbapi_connection, "autocommit", False):
        with undisturbed(connection):
            connection.exec_driver_sql("BEGIN")
            try:
                yield
            finally:
                connection.exec_driver_sql("ROLLBACK")
    elif connection.in_transaction():
        savepoint = connection.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()
    else:
        with undisturbed(connection):
            yield
