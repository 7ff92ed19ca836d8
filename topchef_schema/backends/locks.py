"""What a statement locks, as far as its words tell: the shapes that all databases share.

A database says what it knows in ``backends/<name>_locks.py``, in a function ``LOCKS``. What its
words do not tell is not known, and never said to be harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from topchef_schema.discover import find
from topchef_schema.model.sql_words import Word, named_table, one_statement, split


class Blocks(StrEnum):
    """Whom a statement keeps waiting while it runs; the later, the worse."""

    NOBODY = "nobody for long"
    SCHEMA = "other changes of the schema"
    ROWS = "who changes the same rows"
    WRITES = "all writes"
    ALL = "all reads and writes"

    @property
    def rank(self) -> int:
        """0 for nobody, 4 for all."""
        return list(Blocks).index(self)


@dataclass(frozen=True, slots=True)
class Lock:
    """What a statement holds until it, or its transaction, ends.

    *held* is in the words of the database. *rewrites* tells whether the table is written anew,
    None where that depends on what its words do not tell; *reads_all*, whether all rows are read.
    *note* is what else a reviewer should know.
    """

    held: str
    blocks: Blocks
    rewrites: bool | None = False
    reads_all: bool = False
    note: str | None = None

    def __str__(self) -> str:
        parts = [f"{self.held}: blocks {self.blocks}"]
        if self.rewrites:
            parts.append("writes the whole table anew")
        elif self.rewrites is None:
            parts.append("may write the whole table anew")
        elif self.reads_all:
            parts.append("reads all rows")
        if self.note:
            parts.append(self.note)
        return "; ".join(parts)

    @property
    def lasts(self) -> bool:
        """Whether the time that it takes grows with the table."""
        return self.rewrites is not False or self.reads_all


class Deed(StrEnum):
    """What a statement, or one action of an ALTER TABLE, does."""

    CREATE_TABLE = "create table"
    DROP_TABLE = "drop table"
    TRUNCATE = "truncate"
    CREATE_INDEX = "create index"
    DROP_INDEX = "drop index"
    ADD_COLUMN = "add column"
    DROP_COLUMN = "drop column"
    CHANGE_TYPE = "change type"
    MODIFY = "modify"
    SET_NOT_NULL = "set not null"
    DROP_NOT_NULL = "drop not null"
    SET_DEFAULT = "set default"
    ADD_FOREIGN_KEY = "add foreign key"
    ADD_CHECK = "add check"
    ADD_UNIQUE = "add unique"
    ADD_PRIMARY_KEY = "add primary key"
    VALIDATE = "validate"
    DROP_CONSTRAINT = "drop constraint"
    DROP_FOREIGN_KEY = "drop foreign key"
    DROP_PRIMARY_KEY = "drop primary key"
    RENAME = "rename"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Shape:
    """A deed, and the words that it is said with; of a new column, those behind its name."""

    deed: Deed
    words: tuple[Word, ...]

    def has(self, *keys: str) -> bool:
        """Whether *keys* stand in it, one behind the other, and in no brackets."""
        found = [each.key for each in self._outside]
        count = len(keys)
        return any(found[at : at + count] == list(keys) for at in range(len(found) - count + 1))

    def mentions(self, *keys: str) -> bool:
        """Whether one of *keys* stands anywhere in it."""
        return any(each.key in keys for each in self.words)

    @property
    def _outside(self) -> Iterator[Word]:
        depth = 0
        for each in self.words:
            depth -= each.key == ")"
            if depth == 0:
                yield each
            depth += each.key == "("

    @property
    def default(self) -> list[Word]:
        """The words of the default of a new column; none where it has none."""
        keys = [each.key for each in self.words]
        if "DEFAULT" not in keys:
            return []
        rest = self.words[keys.index("DEFAULT") + 1 :]
        end = (at for at, each in enumerate(rest) if each.key in _BEHIND_A_DEFAULT)
        return list(rest[: next(end, len(rest))])


def keywords(text: str) -> frozenset[str]:
    """Return the words of *text*."""
    return frozenset(text.split())


_BEHIND_A_DEFAULT = keywords(
    """AFTER CHECK COLLATE COMMENT CONSTRAINT FIRST GENERATED NOT ON PRIMARY REFERENCES UNIQUE"""
)


Known = Callable[[Shape], Lock | None]


def lock_of(backend: str, sql: str) -> Lock | None:
    """Return what *sql* locks on *backend*, None where that is not known."""
    known: Known | None = find("topchef_schema.backends", "LOCKS", f"{backend}-locks")
    return None if known is None else worst([known(each) for each in shapes(sql)])


def worst(locks: Sequence[Lock | None]) -> Lock | None:
    """Return the strongest of the locks of one statement; None where one is not known."""
    known = [each for each in locks if each is not None]
    if not known or len(known) < len(locks):
        return None
    return max(known, key=lambda each: (each.blocks.rank, each.lasts))


def shapes(sql: str) -> list[Shape]:
    """Return what *sql* does; nothing where its words do not tell."""
    found = one_statement(sql)
    keys = [each.key for each in found[:6]]
    for begins, deed in _BEGINNINGS.items():
        words = begins.split()
        if keys[: len(words)] == words:
            return [Shape(deed, tuple(found))]
    if keys[:2] == ["ALTER", "TABLE"]:
        actions = list(_actions(found[2:]))
        return [] if None in actions else [each for each in actions if each is not None]
    return []


_BEGINNINGS: Mapping[str, Deed] = {
    "CREATE TABLE": Deed.CREATE_TABLE,
    "DROP TABLE": Deed.DROP_TABLE,
    "TRUNCATE": Deed.TRUNCATE,
    "CREATE INDEX": Deed.CREATE_INDEX,
    "CREATE UNIQUE INDEX": Deed.CREATE_INDEX,
    "CREATE FULLTEXT INDEX": Deed.CREATE_INDEX,
    "DROP INDEX": Deed.DROP_INDEX,
    "INSERT INTO": Deed.INSERT,
    "UPDATE": Deed.UPDATE,
    "DELETE FROM": Deed.DELETE,
}


def _actions(found: Sequence[Word]) -> Iterator[Shape | None]:
    rest = list(found)
    while rest and rest[0].key in ("IF", "EXISTS", "ONLY"):
        rest.pop(0)
    _, actions = named_table(rest)
    for each in split(actions, ","):
        yield _action(each)


_ACTIONS: Mapping[str, Deed] = {
    "DROP CONSTRAINT": Deed.DROP_CONSTRAINT,
    "DROP FOREIGN KEY": Deed.DROP_FOREIGN_KEY,
    "DROP PRIMARY KEY": Deed.DROP_PRIMARY_KEY,
    "DROP INDEX": Deed.DROP_INDEX,
    "DROP KEY": Deed.DROP_INDEX,
    "DROP CHECK": Deed.DROP_CONSTRAINT,
    "DROP COLUMN": Deed.DROP_COLUMN,
    "VALIDATE CONSTRAINT": Deed.VALIDATE,
    "ADD INDEX": Deed.CREATE_INDEX,
    "ADD KEY": Deed.CREATE_INDEX,
    "ADD FULLTEXT": Deed.CREATE_INDEX,
    "ADD COLUMN": Deed.ADD_COLUMN,
    "MODIFY": Deed.MODIFY,
    "CHANGE": Deed.MODIFY,
    "RENAME": Deed.RENAME,
}
_CONSTRAINTS: Mapping[str, Deed] = {
    "FOREIGN KEY": Deed.ADD_FOREIGN_KEY,
    "PRIMARY KEY": Deed.ADD_PRIMARY_KEY,
    "UNIQUE": Deed.ADD_UNIQUE,
    "CHECK": Deed.ADD_CHECK,
}


def _action(found: Sequence[Word]) -> Shape | None:
    words = tuple(found)
    keys = [each.key for each in found]
    for begins, deed in _ACTIONS.items():
        count = len(begins.split())
        if keys[:count] == begins.split():
            return _column(words[count:]) if deed is Deed.ADD_COLUMN else Shape(deed, words)
    if keys[:1] == ["ADD"]:
        return _added(keys[1:], words[1:])
    if keys[:1] == ["ALTER"]:
        return _altered(words[1:])
    return None


def _added(keys: Sequence[str], words: tuple[Word, ...]) -> Shape | None:
    """Read what is added: a constraint, or without the word COLUMN a column."""
    named = keys[:1] == ["CONSTRAINT"]
    rest = keys[2:] if named and len(keys) > 1 and keys[1] not in _CONSTRAINTS else keys
    for begins, deed in _CONSTRAINTS.items():
        if list(rest[: len(begins.split())]) == begins.split():
            return Shape(deed, words)
    return None if named else _column(words)


def _column(words: tuple[Word, ...]) -> Shape | None:
    rest = list(words)
    while rest and rest[0].key in ("IF", "NOT", "EXISTS"):
        rest.pop(0)
    # Several columns in brackets are not read.
    return None if not rest or rest[0].kind == "sign" else Shape(Deed.ADD_COLUMN, tuple(rest[1:]))


def _altered(words: tuple[Word, ...]) -> Shape | None:
    rest = words[1:] if words[:1] and words[0].key == "COLUMN" else words
    keys = [each.key for each in rest[1:4]]
    known = {
        ("SET", "NOT", "NULL"): Deed.SET_NOT_NULL,
        ("DROP", "NOT", "NULL"): Deed.DROP_NOT_NULL,
        ("SET", "DEFAULT"): Deed.SET_DEFAULT,
        ("DROP", "DEFAULT"): Deed.SET_DEFAULT,
        ("SET", "DATA", "TYPE"): Deed.CHANGE_TYPE,
        ("TYPE",): Deed.CHANGE_TYPE,
    }
    for begins, deed in known.items():
        if tuple(keys[: len(begins)]) == begins:
            return Shape(deed, rest)
    return None
