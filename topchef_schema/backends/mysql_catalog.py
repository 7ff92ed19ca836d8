"""Reads a schema from what MySQL and MariaDB keep in the same places.

SHOW CREATE TABLE is the only statement that tells all of a table: ``information_schema`` knows no
full-text parsers, periods or storage options. So many of them are sent in one round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topchef_schema.backends import show_create
from topchef_schema.backends.base import SCRATCH_PREFIX, Failure, undisturbed
from topchef_schema.backends.mysql_protocol import failure, number, run
from topchef_schema.backends.show_create import key, quoted
from topchef_schema.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

Rows = list[tuple[Any, ...]]

BATCH = 1000
"""Statements in one round trip: some 60 kB, far below any ``max_allowed_packet``."""

HIDDEN = "not visible to this user"

MIGRATOR = "the migrating user"
"""Stands for a definer who is connected now, or was on a scratch database."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The catalog of one database while it is read, on a session in a known state."""

    connection: Connection
    database: str
    user: str
    folds_case: bool
    exclude: frozenset[str]

    def rows(self, sql: str) -> Rows:
        """Return the rows of *sql*, in which a percent sign is only a percent sign."""
        return [tuple(row) for row in run(self.connection, sql)]

    def answers(self, sql: str) -> list[Rows]:
        """Return the rows of every answer that the server gives to *sql*."""
        result = run(self.connection, sql)
        try:
            cursor: Any = result.cursor
            answers = [list(cursor.fetchall())]
            while cursor.nextset():
                answers.append(list(cursor.fetchall()))
            return answers
        finally:
            result.close()

    def is_ours(self, database: str) -> bool:
        """Whether a grant on *database*, a pattern with escapes, is one on this database alone."""
        name = database.replace("\\", "")
        if self.folds_case:
            return name.lower() == self.database.lower()
        return name == self.database

    def context(self, definer: str | None, *circumstances: str) -> str:
        """Return the line below the text of a stored program: what else it depends on."""
        definer = definer or HIDDEN
        own = definer == self.user or definer.startswith(SCRATCH_PREFIX)
        return "\n-- " + "; ".join((f"definer {MIGRATOR if own else definer}", *circumstances))


Batch = Callable[[Catalog, Sequence[str]], list[Rows]]
"""Sends statements in one round trip and returns the rows of each; it may fail as a whole."""


SPELLS_THE_SAME = {
    *("ERROR_FOR_DIVISION_BY_ZERO", "NO_AUTO_CREATE_USER", "NO_ENGINE_SUBSTITUTION"),
    *("NO_ZERO_DATE", "NO_ZERO_IN_DATE", "ONLY_FULL_GROUP_BY"),
    *("STRICT_ALL_TABLES", "STRICT_TRANS_TABLES"),
}
"""What the servers' own defaults of ``sql_mode`` hold: it says which rows and queries they take."""


@contextmanager
def reading(connection: Connection, exclude: Collection[str]) -> Iterator[Catalog]:
    """Read the catalog with a ``sql_mode`` in which the server spells as in an empty one."""
    with undisturbed(connection):
        database, user, folding, mode, quotes = connection.exec_driver_sql(
            "SELECT database(), current_user(), @@lower_case_table_names, "
            "@@SESSION.sql_mode, @@SESSION.sql_quote_show_create"
        ).one()
        if database is None:
            raise UsageError(
                "the URL names no database",
                where=str(connection.engine.url.host or "the URL"),
                hint="write it behind the host: mysql://user@host/DATABASE",
            )
        changes = quotes != 1 or not SPELLS_THE_SAME.issuperset(filter(None, mode.split(",")))
        if changes:
            _spell(connection, "", 1)
        try:
            yield Catalog(connection, database, user, bool(folding), frozenset(exclude))
        finally:
            if changes and not connection.invalidated:
                _spell(connection, mode, quotes)


def _spell(connection: Connection, mode: str, quotes: int) -> None:
    connection.exec_driver_sql(
        f"SET SESSION sql_mode = '{mode}', SESSION sql_quote_show_create = {int(quotes)}"
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """An object that SHOW CREATE tells of; *word* is its kind in that statement."""

    word: str
    name: str
    collation: str

    @property
    def show(self) -> str:
        """The statement that asks for its definition."""
        return f"SHOW CREATE {self.word} {quoted(self.name)}"


def listed(catalog: Catalog, names: Collection[str] | None = None) -> list[Listed]:
    """Return the tables, views, sequences and routines of the database, in order.

    With *names* those tables, views and sequences alone.
    """
    tables = (
        "SELECT 'table', table_name, table_type, table_collation FROM information_schema.tables "
        "WHERE table_schema = database()"
    )
    routines = (
        "SELECT 'routine', routine_name, routine_type, '' FROM information_schema.routines "
        "WHERE routine_schema = database()"
    )
    if names is None:
        rows = catalog.rows(f"{tables} UNION ALL {routines}")
    else:
        rows = catalog.rows(f"{tables} AND table_name IN ({', '.join(map(_literal, names))})")
    # Whatever else is listed is temporary, or belongs to the server.
    words = {"BASE TABLE": "TABLE", "SYSTEM VERSIONED": "TABLE", "VIEW": "VIEW"}
    found = []
    for kind, name, of_type, collation in sorted(rows, key=lambda row: row[:3]):
        word = of_type
        if kind == "table":
            word = of_type if of_type == "SEQUENCE" else words.get(of_type)
        if word and not (kind == "table" and name in catalog.exclude):
            found.append(Listed(word, name, collation or ""))
    return found


def _literal(text: str) -> str:
    """Return *text* as SQL, on a session that is being read."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def shown(catalog: Catalog, objects: Sequence[Listed], batch: Batch) -> dict[Listed, Any]:
    """Return what SHOW CREATE says of each object: a row, or None where it may not be seen."""
    found: dict[Listed, Any] = {}
    for start in range(0, len(objects), BATCH):
        some = objects[start : start + BATCH]
        if catalog.connection.dialect.is_async:
            # What SQLAlchemy makes of an asynchronous cursor has only one answer.
            found |= {each: _single(catalog, each) for each in some}
            continue
        try:
            answers = batch(catalog, [each.show for each in some])
            found |= {each: rows[0] for each, rows in zip(some, answers, strict=True)}
        except Exception as error:
            # One that may not be seen spoils the batch; so does a proxy that wants single ones.
            if number(error) is None or failure(error) is Failure.CONNECTION_LOST:
                raise
            found |= {each: _single(catalog, each) for each in some}
    return found


def _single(catalog: Catalog, each: Listed) -> Any:
    from sqlalchemy.exc import DBAPIError

    try:
        return catalog.rows(each.show)[0]
    except DBAPIError as error:
        if failure(error) is Failure.CONNECTION_LOST:
            raise
        return None


def definitions(catalog: Catalog, each: Listed, row: Any) -> Mapping[str, str]:
    """Return the keys and definitions of a table, a sequence or a routine."""
    if each.word == "TABLE":
        if row is None:
            return {key("table", each.name): HIDDEN}
        return show_create.table_parts(
            row[1], name=each.name, database=catalog.database, collation=each.collation
        )
    where = key(each.word.lower().replace(" ", "-"), each.name)
    if each.word == "SEQUENCE":
        return {where: HIDDEN if row is None else row[1].partition(quoted(each.name))[2].strip()}
    if row is None or row[2] is None:
        return {where: HIDDEN}
    text, definer = show_create.definer(row[2])
    return {where: text + catalog.context(definer, f"sql_mode {row[1]}", *row[3:6])}


def views(
    catalog: Catalog, *, algorithm: str = "''", algorithms: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the views, whose text does not change with the tables below them.

    What SHOW CREATE VIEW prints does: it is spelt differently once a table is gone. *algorithm*
    is the column that holds a view's algorithm, *algorithms* has them where there is none.
    """
    found = {}
    for name, text, check, definer, security, client, collation, known in catalog.rows(
        "SELECT table_name, view_definition, check_option, definer, security_type, "
        f"character_set_client, collation_connection, {algorithm} "
        "FROM information_schema.views WHERE table_schema = database()"
    ):
        if name not in catalog.exclude:
            how = (algorithms or {}).get(name, known)
            query = show_create.without_database(text, catalog.database) if text else HIDDEN
            found[key("view", name)] = (
                f"ALGORITHM={how} SQL SECURITY {security} AS {query}"
                + ("" if check == "NONE" else f" WITH {check} CHECK OPTION")
                + catalog.context(definer, client, collation)
            )
    return found


def programs(catalog: Catalog) -> dict[str, str]:
    """Return all that is read in the same way from both servers: triggers, events, rights."""
    return triggers(catalog) | events(catalog) | grants(catalog)


def triggers(catalog: Catalog) -> dict[str, str]:
    """Return the triggers, with their order among those of one event.

    MariaDB shows that there is one, and no more, to a user with any right but TRIGGER.
    """
    found = {}
    for name, table, timing, event, order, body, definer, *rest in catalog.rows(
        "SELECT trigger_name, event_object_table, action_timing, event_manipulation, "
        "action_order, action_statement, definer, sql_mode, character_set_client, "
        "collation_connection, database_collation FROM information_schema.triggers "
        "WHERE trigger_schema = database()"
    ):
        if table not in catalog.exclude:
            found[key("trigger", table, name)] = (
                f"{timing} {event} ({order}) FOR EACH ROW {body or HIDDEN}"
                + catalog.context(definer, f"sql_mode {rest[0]}", *rest[1:])
            )
    return found


def events(catalog: Catalog) -> dict[str, str]:
    """Return the events.

    One without STARTS starts when it is made or altered: that moment is no part of the schema.
    """
    found = {}
    for row in catalog.rows(
        "SELECT event_name, execute_at, interval_value, interval_field, "
        "CASE WHEN CONVERT_TZ(starts, time_zone, @@SESSION.time_zone) IN (created, last_altered) "
        "THEN NULL ELSE starts END, ends, on_completion, status, event_comment, "
        "event_definition, definer, time_zone, sql_mode, character_set_client, "
        "collation_connection, database_collation FROM information_schema.events "
        "WHERE event_schema = database()"
    ):
        name, at, number_, unit, starts, ends, completion, status, comment, body, definer = row[:11]
        schedule = f"AT {at}" if at else f"EVERY {number_} {unit}"
        schedule += f" STARTS {starts}" if starts else ""
        schedule += f" ENDS {ends}" if ends else ""
        found[key("event", name)] = (
            f"ON SCHEDULE {schedule} ON COMPLETION {completion} {status} COMMENT {comment!r} "
            f"DO {body}"
            + catalog.context(definer, f"time zone {row[11]}", f"sql_mode {row[12]}", *row[13:])
        )
    return found


def grants(catalog: Catalog) -> dict[str, str]:
    """Return the rights on the database and what is in it, those of scratch users left out.

    A user sees the rights of others only with SELECT on the server's own database ``mysql``.
    """
    rights: dict[str, set[str]] = {}
    for kind, database, table, column, user, right, may_grant in _granted(catalog):
        names = [each for each in (table, column) if each]
        hangs_on = table if kind in ("table", "column") else None
        if catalog.is_ours(database) and hangs_on not in catalog.exclude:
            where = f"{key(f'grant {kind}', *names)} to {user}"
            rights.setdefault(where, set()).add(right)
            if may_grant == "YES":
                rights[where].add("GRANT OPTION")
    return {where: ", ".join(sorted(found)) for where, found in rights.items()}


def _granted(catalog: Catalog) -> Iterator[tuple[str, ...]]:
    parts = (
        ("database", "''", "''", "schema_privileges"),
        ("table", "table_name", "''", "table_privileges"),
        ("column", "table_name", "column_name", "column_privileges"),
    )
    rows = catalog.rows(
        " UNION ALL ".join(
            f"SELECT '{kind}', table_schema, {table}, {column}, grantee, privilege_type, "
            f"is_grantable FROM information_schema.{source}"
            for kind, table, column, source in parts
        )
    )
    yield from (row for row in rows if not row[4].startswith(f"'{SCRATCH_PREFIX}"))
    for database, name, kind, user, host, rights in _granted_on_routines(catalog):
        if not user.startswith(SCRATCH_PREFIX):
            for right in rights.upper().split(","):
                option = "GRANT OPTION" if right == "GRANT" else right
                word = kind.lower().replace(" ", "-")
                yield word, database, name, "", f"'{user}'@'{host}'", option, "NO"


def _granted_on_routines(catalog: Catalog) -> Rows:
    from sqlalchemy.exc import DBAPIError

    try:
        return catalog.rows(
            "SELECT db, routine_name, routine_type, user, host, proc_priv FROM mysql.procs_priv"
        )
    except DBAPIError as error:
        if failure(error) is not Failure.READ_ONLY:
            raise
        return []  # only those who may read the server's own tables see these


def database_options(catalog: Catalog, column: str) -> dict[str, str]:
    """Return the defaults of the database; *column* is what only this server has of it."""
    rows = catalog.rows(
        f"SELECT default_character_set_name, default_collation_name, {column} "
        "FROM information_schema.schemata WHERE schema_name = database()"
    )
    return {"database": " ".join(str(each) for row in rows for each in row).strip()}
