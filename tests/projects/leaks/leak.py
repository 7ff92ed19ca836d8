"""A leak: a tiny revision whose downgrade forgets something, or brings it back changed.

In what it says, ``TAB`` stands for the name of the leak, which is also that of its table: so many
leaks can lie in one database. What begins with ``op.`` or ``with `` is Python, all else SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SQLITE = ("sqlite",)
POSTGRESQL = ("postgresql",)
MYSQL = ("mysql",)
MARIADB = ("mariadb",)
BOTH = ("mariadb", "mysql")
SERVERS = ("postgresql", "mariadb", "mysql")
ALL = ("sqlite", "postgresql", "mariadb", "mysql")

TRACE = "downgrade-leaves-trace"

TABLE = "CREATE TABLE TAB (id INTEGER NOT NULL PRIMARY KEY, a INTEGER, b VARCHAR(40))"


@dataclass(frozen=True, slots=True)
class Leak:
    """What leaks, and on which backends.

    *before* is an earlier revision's, *up* the upgrade, *leak* the downgrade that leaks, *clean*
    its twin. *kind* is the row in the table of the documentation, *object* what the finding names.
    """

    kind: str
    name: str
    on: tuple[str, ...]
    object: str
    before: tuple[str, ...]
    up: tuple[str, ...]
    leak: tuple[str, ...]
    clean: tuple[str, ...]
    rule: str = TRACE
    severity: str = "error"

    def body(self, part: str) -> list[str]:
        """Return the lines of Python that do *part*: before, up, leak or clean."""
        lines = []
        for each in getattr(self, part):
            text = self.named(each)
            if text.startswith(("op.", "with ")):
                lines += text.splitlines()
            else:
                lines.append(f"op.execute({text!r})")
        return lines

    def named(self, text: str) -> str:
        """Return *text* with the name of this leak in it."""
        return re.sub(r"\bTAB(?![A-Z])", self.name, text)


Statements = str | tuple[str, ...]


def forgotten(
    kind: str,
    name: str,
    on: tuple[str, ...],
    object: str,
    make: Statements,
    unmake: Statements,
    *,
    before: Statements = TABLE,
) -> Leak:
    """Return the leak of what the upgrade makes, and the downgrade leaves behind."""
    return Leak(kind, name, on, object, _all(before), _all(make), (), _all(unmake))


def missing(
    kind: str,
    name: str,
    on: tuple[str, ...],
    object: str,
    make: Statements,
    unmake: Statements,
    *,
    before: Statements = TABLE,
) -> Leak:
    """Return the leak of what the upgrade drops, and the downgrade does not bring back."""
    made = _all(make)
    return Leak(kind, name, on, object, _all(before) + made, _all(unmake), (), made)


def changed(
    kind: str,
    name: str,
    on: tuple[str, ...],
    object: str,
    make: Statements,
    unmake: Statements,
    wrong: Statements,
    *,
    before: Statements = TABLE,
) -> Leak:
    """Return the leak of what the upgrade drops or changes, and comes back *wrong*."""
    made = _all(make)
    return Leak(kind, name, on, object, _all(before) + made, _all(unmake), _all(wrong), made)


def named(
    kind: str,
    name: str,
    on: tuple[str, ...],
    word: str,
    right: str,
    wrong: str,
    *,
    called: str = "TAB",
    before: Statements = (),
) -> Leak:
    """Return the leak of an object that is dropped as *word* and *called*."""
    key = f"{word.lower().replace(' ', '-')} {called}"
    drop = f"DROP {word} {called}"
    return changed(kind, name, on, key, right, drop, wrong, before=before)


def remade(
    kind: str,
    name: str,
    on: tuple[str, ...],
    object: str,
    right: str,
    wrong: str,
    *,
    before: Statements = (),
    options: tuple[str, str] = ("", ""),
) -> Leak:
    """Return the leak of a table that is made anew, *wrong* in the downgrade."""
    old, new = (
        f"CREATE TABLE TAB ({body}) {option}".strip()
        for body, option in zip((right, wrong), options, strict=True)
    )
    between = "CREATE TABLE TAB (id INTEGER NOT NULL PRIMARY KEY)"
    drop = "DROP TABLE TAB"
    return Leak(
        kind, name, on, object, (*_all(before), old), (drop, between), (drop, new), (drop, old)
    )


def column(
    kind: str,
    name: str,
    on: tuple[str, ...],
    declared: str,
    right: str,
    other: str,
    wrong: str | None,
    *,
    existing: str = "existing_type=sa.Integer()",
) -> Leak:
    """Return the leak of a column ``a`` that is altered: keywords of ``alter_column``."""

    def altered(how: str) -> str:
        call = f'batch.alter_column("a", {how}, {existing})'
        return f'with op.batch_alter_table("TAB") as batch:\n    {call}'

    return Leak(
        kind,
        name,
        on,
        "column TAB.a",
        (f"CREATE TABLE TAB (id INTEGER NOT NULL PRIMARY KEY, a {declared})",),
        (altered(other),),
        (altered(wrong),) if wrong else (),
        (altered(right),),
    )


def modified(
    kind: str,
    name: str,
    on: tuple[str, ...],
    right: str,
    other: str,
    wrong: str | None,
    *,
    sql: str = "ALTER TABLE TAB MODIFY a {}",
) -> Leak:
    """Return the leak of a column ``a`` that is altered by SQL."""
    return Leak(
        kind,
        name,
        on,
        "column TAB.a",
        (f"CREATE TABLE TAB (id INTEGER NOT NULL PRIMARY KEY, a {right})",),
        (sql.format(other),),
        (sql.format(wrong),) if wrong else (),
        (sql.format(right),),
    )


def _all(statements: Statements) -> tuple[str, ...]:
    return (statements,) if isinstance(statements, str) else statements
