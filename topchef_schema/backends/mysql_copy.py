"""Makes a database again within its server: MySQL and MariaDB have no templates.

Everything is sent as one script. Events are left out: when one starts is no part of its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from topchef_schema.backends import mysql_catalog, mysql_protocol
from topchef_schema.backends.base import safe_label
from topchef_schema.backends.show_create import definer, quoted, without_database
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.mysql_catalog import Catalog, Listed

BEGIN = (
    "SET NAMES utf8mb4",
    # No default applies to what is copied, and zeros and old dates are what they are.
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0, unique_checks = 0",
)

COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = database() AND coalesce(generation_expression, '') = ''
ORDER BY table_name, ordinal_position
"""


def script(url: URL) -> str:
    """Return the statements that make the tables, rows, routines, views and triggers of *url*.

    They read the rows from there: it has to be on the same server, and its user has to run them.
    """
    with (
        mysql_protocol.session(url) as connection,
        mysql_catalog.reading(connection, ()) as catalog,
    ):
        try:
            return ";\n".join((*BEGIN, *_statements(catalog)))
        except CycleError:
            raise UnreachableError(
                "views that name each other cannot be copied",
                where=safe_label(url),
                hint="bring another database to the same revision instead",
            ) from None


def send(url: URL, statements: str) -> None:
    """Run what `script` has returned; raises `UnreachableError`."""
    from topchef_schema.backends.base import first_line

    synchronous = mysql_protocol.synchronous(url, extra=url.get_backend_name())
    try:
        mysql_protocol.run_script(synchronous, statements)
    except Exception as error:
        if mysql_protocol.number(error) is None:
            raise
        raise UnreachableError(
            f"the database cannot be copied: {first_line(error)}",
            where=safe_label(url),
            hint="bring another database to the same revision instead",
        ) from error


def _statements(catalog: Catalog) -> Iterator[str]:
    found = mysql_catalog.listed(catalog)
    of_kind = {
        word: [each for each in found if each.word == word]
        for word in ("SEQUENCE", "TABLE", "FUNCTION", "PROCEDURE", "VIEW")
    }
    own = quoted(catalog.database)
    for each in of_kind["SEQUENCE"]:
        yield _shown(catalog, each, 1)
        name = quoted(each.name)
        yield f"SELECT SETVAL({name}, (SELECT next_not_cached_value FROM {own}.{name}), 0)"
    for each in of_kind["TABLE"]:
        yield _shown(catalog, each, 1)
    yield from _rows(catalog, {each.name for each in of_kind["TABLE"]})
    for each in (*of_kind["FUNCTION"], *of_kind["PROCEDURE"]):
        yield _mode(catalog, each)
        yield _shown(catalog, each, 2)
    yield BEGIN[1]
    yield from _views({each.name: _shown(catalog, each, 1) for each in of_kind["VIEW"]})
    for row in catalog.rows("SHOW TRIGGERS"):
        shown = catalog.rows(f"SHOW CREATE TRIGGER {quoted(row[0])}")[0]
        yield f"SET SESSION sql_mode = '{shown[1]}'"
        yield without_database(definer(shown[2])[0], catalog.database)


def _shown(catalog: Catalog, each: Listed, column: int) -> str:
    """Return the CREATE statement, for whoever runs it, wherever that is."""
    statement = str(catalog.rows(each.show)[0][column])
    if each.word == "TABLE":
        return statement
    return without_database(definer(statement)[0], catalog.database)


def _mode(catalog: Catalog, each: Listed) -> str:
    return f"SET SESSION sql_mode = '{catalog.rows(each.show)[0][1]}'"


def _rows(catalog: Catalog, tables: set[str]) -> Iterator[str]:
    columns: dict[str, list[str]] = {}
    for table, column in catalog.rows(COLUMNS):
        if table in tables:
            columns.setdefault(table, []).append(quoted(column))
    for table, names in columns.items():
        source = f"{quoted(catalog.database)}.{quoted(table)}"
        if catalog.rows(f"SELECT 1 FROM {source} LIMIT 1"):
            listed = ", ".join(names)
            yield f"INSERT INTO {quoted(table)} ({listed}) SELECT {listed} FROM {source}"


def _views(views: dict[str, str]) -> Iterator[str]:
    """Yield the views, those first that others name."""
    named = {
        name: {other for other in views if other != name and quoted(other) in text}
        for name, text in views.items()
    }
    for name in TopologicalSorter(named).static_order():
        yield views[name]
