"""What the short way asks of a database through its driver alone, without SQLAlchemy.

A file ``direct_<scheme>.py`` beside this one, named like the scheme of the URLs it is for
(``postgresql+psycopg`` is ``direct_postgresql_psycopg.py``), defines ``DIRECT``: a function from an
`Address` and the name of the version table to `Rows`. It only reads, and raises what the driver
raises; whatever it raises leads to the long way, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

# Spelled out: to import the model of the history takes longer than all that is done with it here.
HISTORY_TABLE = "topchef_history"
JOURNAL_TABLE = "topchef_journal"
ENDED_WELL = ("applied", "baselined", "repaired", "reverted", "stamped")

SECONDS_TO_CONNECT = 3
"""After that the long way tries, with all the patience of the driver."""


class UnknownOptionError(ValueError):
    """The URL has an option that SQLAlchemy may understand in a way of its own."""


# Tuples, because to make a data class takes as long as to look at a hundred revisions.
class Address(NamedTuple):
    """A database URL taken apart; *label* is the URL without its secret."""

    scheme: str
    label: str
    database: str
    query: Mapping[str, str]
    user: str | None = None
    password: str | None = None
    host: str | None = None
    port: int | None = None


class Rows(NamedTuple):
    """The rows of the version table, and whether no run of ours ended in the middle."""

    versions: tuple[str, ...]
    clean: bool


UNFINISHED = f"""
SELECT 1 FROM {HISTORY_TABLE} h
WHERE h.status NOT IN ({", ".join(f"'{each}'" for each in ENDED_WELL)})
AND NOT EXISTS (
  SELECT 1 FROM {HISTORY_TABLE} later WHERE later.revision = h.revision AND later.id > h.id)
LIMIT 1
"""
"""Finds a revision whose last row does not tell of its end."""

JOURNALLED = f"SELECT 1 FROM {JOURNAL_TABLE} LIMIT 1"


def arguments(address: Address, known: Collection[str], *, database: str) -> dict[str, str | int]:
    """Return what SQLAlchemy hands to the driver; *database* is its word for the database.

    Raises `UnknownOptionError` for an option of the URL that is not *known*.
    """
    if not address.query.keys() <= set(known):
        raise UnknownOptionError(f"the options are {', '.join(address.query)}")
    given = {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
        database: address.database,
        **address.query,
    }
    return {key: value for key, value in given.items() if value is not None}


def rows(
    query: Callable[[str], Sequence[Sequence[Any]]], there: Collection[str], version_table: str
) -> Rows:
    """Return what *query* finds; *there* are those of our tables that exist.

    *version_table* is quoted as this database wants it.
    """
    versions = tuple(str(row[0]) for row in query(f"SELECT version_num FROM {version_table}"))
    clean = not (
        (JOURNAL_TABLE in there and query(JOURNALLED))
        or (HISTORY_TABLE in there and query(UNFINISHED))
    )
    return Rows(versions, clean)
