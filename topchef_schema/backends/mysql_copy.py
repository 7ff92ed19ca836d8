"""Makes a database again within its server: MySQL and MariaDB have no templates.

As few texts are sent as may be. Events are left out: they would start at other times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from topchef_schema.backends import mysql_catalog, mysql_protocol
from topchef_schema.backends.base import driver_connection, first_line, safe_label
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

PROGRAM = re.compile(r"CREATE (OR REPLACE )?(AGGREGATE )?(FUNCTION|PROCEDURE|TRIGGER)\b")

COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = database() AND coalesce(generation_expression, '') = ''
ORDER BY table_name, ordinal_position
"""


Scripts = tuple[str, ...]
"""Texts to send one after the other in one session, each of one statement or many."""


def scripts(url: URL) -> Scripts:
    """Return what makes the tables, rows, routines, views and triggers of *url* again.

    The rows are read from there: it has to be on the same server, and its user has to run it.
    """
    with (
        mysql_protocol.session(url) as connection,
        mysql_catalog.reading(connection, ()) as catalog,
    ):
        try:
            return tuple(_texts((*BEGIN, *_statements(catalog))))
        except CycleError:
            raise UnreachableError(
                "views that name each other cannot be copied",
                where=safe_label(url),
                hint="bring another database to the same revision instead",
            ) from None


def _texts(statements: Iterable[str]) -> Iterator[str]:
    """Yield as few texts as may be: MySQL takes the semicolon behind a program for a part of it."""
    for alone, group in groupby(statements, key=lambda each: bool(PROGRAM.match(each))):
        found = list(group)
        yield from found if alone else [";\n".join(found)]


def send(url: URL, texts: Scripts) -> None:
    """Run what `scripts` has returned; raises `UnreachableError`."""
    synchronous = mysql_protocol.synchronous(url, extra=url.get_backend_name())
    several = synchronous.update_query_dict({"client_flag": str(mysql_protocol.MULTI_STATEMENTS)})
    try:
        with driver_connection(several) as connection, connection.cursor() as cursor:
            for text in texts:
                cursor.execute(text)
                while cursor.nextset():
                    pass
            connection.commit()
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
        yield _portable(catalog, _shown(catalog, each)[1])
        name = quoted(each.name)
        yield f"SELECT SETVAL({name}, (SELECT next_not_cached_value FROM {own}.{name}), 0)"
    for each in of_kind["TABLE"]:
        yield str(_shown(catalog, each)[1])
    yield from _rows(catalog, {each.name for each in of_kind["TABLE"]})
    for each in (*of_kind["FUNCTION"], *of_kind["PROCEDURE"]):
        yield from _program(catalog, _shown(catalog, each))
    yield BEGIN[1]
    yield from _views(catalog, {each.name: _shown(catalog, each) for each in of_kind["VIEW"]})
    for row in catalog.rows("SHOW TRIGGERS"):
        yield from _program(catalog, catalog.rows(f"SHOW CREATE TRIGGER {quoted(row[0])}")[0])


def _shown(catalog: Catalog, each: Listed) -> tuple[Any, ...]:
    return catalog.rows(each.show)[0]


def _program(catalog: Catalog, shown: tuple[Any, ...]) -> Iterator[str]:
    """Yield the statements that make a routine or a trigger under its own circumstances."""
    _, mode, statement, characters, collation, *_ = shown
    yield f"SET SESSION sql_mode = '{mode}'"
    yield from _names(characters, collation)
    yield _portable(catalog, statement)


def _names(characters: str, collation: str) -> Iterator[str]:
    # The script itself is in utf8mb4: what was made in another set shows in the comparison.
    if characters == "utf8mb4":
        yield f"SET NAMES utf8mb4 COLLATE {collation}"


def _portable(catalog: Catalog, statement: str) -> str:
    """Return a CREATE statement for whoever runs it, in whichever database."""
    return without_database(definer(statement)[0], catalog.database)


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


def _views(catalog: Catalog, views: dict[str, tuple[Any, ...]]) -> Iterator[str]:
    """Yield the statements that make the views, those first that others name."""
    named = {
        name: {other for other in views if other != name and quoted(other) in shown[1]}
        for name, shown in views.items()
    }
    for name in TopologicalSorter(named).static_order():
        _, statement, characters, collation = views[name]
        yield from _names(characters, collation)
        yield _portable(catalog, statement)
