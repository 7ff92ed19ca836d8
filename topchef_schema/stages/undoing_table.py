"""The code that makes a whole table again, where all that belonged to it is understood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from topchef_schema.model import Change
from topchef_schema.model.snapshot import bare
from topchef_schema.stages import undoing

_OPTIONS = re.compile(r"table|ENGINE=InnoDB DEFAULT CHARSET=(?P<set>\w+) COLLATE=(?P<order>\w+)")
_SERIAL = re.compile(r" default nextval\('(?P<sequence>[\w.]+)'::regclass\)")
_PLAIN_SEQUENCE = re.compile(
    r"sequence, \w+ start 1 increment 1 from 1 to \d+ cache 1, owned by (?P<owner>[\w.]+)"
)
_COUNTED = " AUTO_INCREMENT"
_PRIMARY = re.compile(rf"primary key {undoing.COLUMNS}", re.IGNORECASE)
_WITHOUT_WORDS = ("column-order", "sequence")


def code(
    change: Change, usual_schema: str | None, objects: Mapping[str, str], *, rebuilds: bool
) -> str | None:
    """Return what makes the table of *change* again; *objects* is all that there was before.

    None where it cannot be told for certain. The rest is as for `undoing.code`.
    """
    place = undoing.place_of(change, usual_schema, rebuilds=rebuilds)
    if place is None:
        return None
    parts = {
        key: said
        for key, said in objects.items()
        if change.key in Change(key, said, None).possible_causes
    }
    options = _OPTIONS.fullmatch(change.before or "")
    if options is None or not _usual(options, objects.get("database")):
        return None
    table = _Table(change.name, place, usual_schema, parts, options["order"])
    try:
        return "; ".join(table.statements())
    except _UnknownError:
        return None


def _usual(options: re.Match[str], database: str | None) -> bool:
    """Whether a new table of *database* has these options by itself."""
    return options["set"] is None or (database or "").split(" ")[:2] == [*options.groups()]


class _UnknownError(Exception):
    """Something cannot be told for certain."""


@dataclass(frozen=True, slots=True)
class _Table:
    """The table *name* with its *parts*, whose texts are sorted as *order* says."""

    name: str
    place: undoing.Place
    usual_schema: str | None
    parts: Mapping[str, str]
    order: str | None

    def statements(self) -> Iterator[str]:
        """Yield the calls that make it. Raises `_UnknownError`."""
        inside = [*self._columns(), *self._constraints()]
        words = ", ".join([undoing.literal(self.place.table), *inside])
        yield f"op.create_table({words}{self.place.options})"
        for key, said in self.parts.items():
            kind, _, name = key.partition(" ")
            if kind == "index":
                # The server makes one for each foreign key.
                if f"constraint {name}" not in self.parts:
                    yield _known(undoing.code(Change(key, said, None), self.usual_schema))
            elif kind not in ("column", "constraint", "primary-key", *_WITHOUT_WORDS):
                raise _UnknownError

    def _columns(self) -> Iterator[str]:
        counted = set()
        for column in _known(self.parts.get(f"column-order {self.name}")).split(", "):
            said = _known(self.parts.get(f"column {self.name}.{column}"))
            plain = self._uncounted(column, said.replace(f" COLLATE {self.order}", ""))
            counted |= {column} if plain != said and _counts(said) else set()
            yield self._column(column, plain, counted=column in counted)
        sequences = sum(key.startswith("sequence ") for key in self.parts)
        if sequences > len(counted):
            raise _UnknownError

    def _uncounted(self, column: str, said: str) -> str:
        """Return what is said of a column without that the server counts it."""
        if said.endswith(_COUNTED):
            return said.removesuffix(_COUNTED)
        found = _SERIAL.search(said)
        if found is None:
            return said
        usual = f"{self.name}_{column}_seq"
        sequence = _PLAIN_SEQUENCE.fullmatch(self.parts.get(f"sequence {usual}", ""))
        if found["sequence"] != usual or sequence is None:
            raise _UnknownError
        if sequence["owner"] != f"{self.name}.{column}":
            raise _UnknownError
        return said.replace(found[0], "")

    def _column(self, column: str, said: str, *, counted: bool) -> str:
        type_ = undoing.column_type(said)
        if type_ is None:
            raise _UnknownError
        key = bare(column) in self._key()
        alone = self.place.rebuilds and type_.words == "sa.Integer()" and len(self._key()) == 1
        if counted > key or (key and not type_.not_null and not alone):
            raise _UnknownError
        facts = [undoing.literal(bare(column)), type_.words]
        facts += ["nullable=False"] if type_.not_null else []
        facts += [f"server_default={undoing.default_sql(type_.default)}"] if type_.default else []
        if key and "Integer" in type_.words and not self.place.rebuilds:
            facts.append(f"autoincrement={counted}")
        return f"sa.Column({', '.join(facts)})"

    def _key(self) -> set[str]:
        """Return the columns of the primary key."""
        found = (_PRIMARY.fullmatch(said) for said in self.parts.values())
        columns = next((each["columns"] for each in found if each is not None), "")
        return set(undoing.column_names(columns))

    def _constraints(self) -> Iterator[str]:
        for key, said in self.parts.items():
            kind = key.partition(" ")[0]
            if kind in ("constraint", "primary-key"):
                yield self._constraint(key.removeprefix(f"{kind} {self.name}").lstrip("."), said)

    def _constraint(self, name: str, said: str) -> str:
        named = f", name={undoing.literal(name)}" if re.fullmatch(r"\w+", name) else ""
        for pattern, word in ((_PRIMARY, "PrimaryKey"), (undoing.UNIQUE, "Unique")):
            if found := pattern.fullmatch(said):
                return f"sa.{word}Constraint({undoing.name_list(found['columns'])[1:-1]}{named})"
        if found := undoing.CHECK.fullmatch(said):
            return f"sa.CheckConstraint({undoing.sql_literal(found['text'])}{named})"
        found = undoing.FOREIGN.fullmatch(said)
        if found is None:
            raise _UnknownError
        *schema, target = undoing.names_in(found["table"])
        if self.place.schema is not None or schema not in ([], [self.usual_schema]):
            raise _UnknownError
        columns = undoing.name_list(found["columns"])
        there = undoing.column_names(found["there"])
        there_too = ", ".join(undoing.literal(f"{target}.{each}") for each in there)
        return f"sa.ForeignKeyConstraint({columns}, [{there_too}]{named})"


def _counts(said: str) -> bool:
    return said.endswith(_COUNTED) or _SERIAL.search(said) is not None


def _known(said: str | None) -> str:
    if said is None:
        raise _UnknownError
    return said
