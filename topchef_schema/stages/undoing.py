"""The line that a downgrade lacks, where two definitions of an object tell it: code to paste.

In Alembic's own words where it has some, in a batch where not every database can do without, and
in the words of the catalog where these are SQL. What cannot be known for certain is left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from topchef_schema.bridge.second_look import Index, Part, for_text
from topchef_schema.model import Change
from topchef_schema.model.snapshot import NAME, bare

_NAME = r'(?:"(?:[^"]|"")+"|`(?:[^`]|``)+`|\w+)'
_NAMES = rf"{_NAME}(?:, ?{_NAME})*"
COLUMNS = rf"\((?P<columns>{_NAMES})\)"
_INDEX = re.compile(r"(?P<unique>unique )?(?:key |index )?\((?P<parts>.+)\)", re.IGNORECASE)
_PIECE = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|`[^`]*`|[(),]|[^'"`(),]+""")
UNIQUE = re.compile(rf"unique {COLUMNS}", re.IGNORECASE)
CHECK = re.compile(r"check \((?P<text>.+)\)", re.IGNORECASE)
FOREIGN = re.compile(
    rf'foreign key {COLUMNS} references (?P<table>[\w."`]+) ?\((?P<there>{_NAMES})\)',
    re.IGNORECASE,
)
_LABELS = re.compile(r"'[^'\n]*'(, '[^'\n]*')*")
_COLUMN = re.compile(
    r"(?P<type>[a-z]+( varying)?( ?\(\d+\))?)(?P<not_null> not null)?"
    r"( default (?P<default>null|'[^'\n]*'(::[a-z ]+)?|-?[\d.]+|true|false|current_timestamp))?"
    r"(?P<not_null_at_last> not null)?",
    re.IGNORECASE,
)
"""With a default that is a constant, or the time."""
_COLLATION = re.compile(r" collate \w+", re.IGNORECASE)

_DROPPED = {
    "aggregate",
    "domain",
    "extension",
    "function",
    "materialized-view",
    "procedure",
    "schema",
    "sequence",
    "view",
}
"""Kinds that ``DROP KIND name`` drops wherever they exist."""

_KEYS = {"unique": "unique", "check": "check", "foreign": "foreignkey", "primary": "primary"}
_TYPES = {
    "bigint": "BigInteger",
    "boolean": "Boolean",
    "date": "Date",
    "int": "Integer",
    "integer": "Integer",
    "smallint": "SmallInteger",
    "text": "Text",
    "varchar": "String",
    "character varying": "String",
}
"""The words of catalogs for which SQLAlchemy's own are beyond doubt."""


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a table, or a table alone, of a database that may make it anew to alter it."""

    table: str
    schema: str | None
    name: str
    rebuilds: bool

    @property
    def options(self) -> str:
        """Return the argument that names the schema, where it has to be named."""
        return "" if self.schema is None else f", schema={literal(self.schema)}"

    @property
    def batch(self) -> str:
        """Return the beginning of a batch on the table."""
        return f"with op.batch_alter_table({literal(self.table)}{self.options}) as batch: "

    def call(self, function: str, *rest: str) -> str:
        """Write a call of *function* on a constraint; several may follow each other on a line."""
        names = [literal(self.name)] if self.rebuilds else [literal(self.name), literal(self.table)]
        arguments = ", ".join([*names, *rest])
        if self.rebuilds:
            return f"{self.batch}batch.{function}({arguments})"
        return f"op.{function}({arguments}{self.options})"


def code(change: Change, usual_schema: str | None, *, rebuilds: bool = False) -> str | None:
    """Return what undoes *change*, from before an upgrade to after its downgrade.

    None where it cannot be told for certain. *usual_schema* is the one that no name needs;
    *rebuilds* says of the database that it makes a table anew to alter it.
    """
    place = place_of(change, usual_schema, rebuilds=rebuilds)
    if change.before is None:
        return _drop(change, place)
    if change.kind == "column" and change.after is not None:
        return _altered(change, place)
    made = _make(change, change.before, place, usual_schema)
    if change.after is None or made is None or change.kind == "enum" or place is None:
        return made if change.after is None else None
    dropped = _drop(Change(change.key, None, change.after), place)
    return None if dropped is None else f"{dropped}; {made.removeprefix(place.batch)}"


def _drop(change: Change, place: Place | None) -> str | None:
    kind = change.kind
    if kind in _DROPPED:
        word = kind.replace("-", " ").upper()
        return f"op.execute({sql_literal(f'DROP {word} {change.name}')})"
    if place is None:
        return None
    if kind == "trigger":
        *on, name = NAME.findall(change.name)
        # Where schemas hold tables, a trigger is known by its table alone.
        table = f" ON {'.'.join(on)}" if len(on) > 1 else ""
        return f"op.execute({sql_literal(f'DROP TRIGGER {name}{table}')})"
    table, name = literal(place.table), literal(place.name)
    simple = {
        "table": f"op.drop_table({table}{place.options})",
        "enum": f"sa.Enum(name={table}{place.options}).drop(op.get_bind())",
        "index": f"op.drop_index({name}, {table}{place.options})",
        "column": f"op.drop_column({table}, {name}{place.options})",
    }
    word = _KEYS.get((change.after or "").split(" ")[0].lower(), "")
    if kind == "constraint" and word and _is_named(place, word):
        return place.call("drop_constraint", f'type_="{word}"')
    return simple.get(kind)


def _is_named(place: Place, word: str) -> bool:
    """Whether a constraint has a name; one of CHECK is not seen where tables are made anew."""
    return bool(re.fullmatch(r"\w+", place.name)) and not (place.rebuilds and word == "check")


def _make(
    change: Change, definition: str, place: Place | None, usual_schema: str | None
) -> str | None:
    if definition.startswith("CREATE ") and "\n" not in definition:
        return f"op.execute({sql_literal(definition)})"
    if place is None:
        return None
    if change.kind == "constraint":
        return _constraint(place, definition, usual_schema)
    makers = {"enum": _enum, "index": _index, "column": _column}
    maker = makers.get(change.kind)
    return None if maker is None else maker(place, definition)


def _enum(place: Place, definition: str) -> str | None:
    if not _LABELS.fullmatch(definition):
        return None
    labels = definition.replace('"', '\\"').replace("'", '"')
    return f"sa.Enum({labels}, name={literal(place.table)}{place.options}).create(op.get_bind())"


def _index(place: Place, definition: str) -> str | None:
    found = index(definition)
    if found is None:
        return None
    words = [
        literal(each.text) if each.is_name else f"sa.text({sql_literal(each.text)})"
        for each in found.parts
    ]
    unique = ", unique=True" if found.unique else ""
    names = f"{literal(place.name)}, {literal(place.table)}, [{', '.join(words)}]"
    return f"op.create_index({names}{unique}{place.options})"


def index(definition: str) -> Index | None:
    """Return what an index is made of; None where there is more to say than that."""
    found = _INDEX.fullmatch(definition)
    parts = None if found is None else _parts(found["parts"])
    if found is None or parts is None:
        return None
    return Index(
        bool(found["unique"]),
        tuple(
            Part(bare(each), is_name=True)
            if re.fullmatch(_NAME, each)
            else Part(each, is_name=False)
            for each in parts
        ),
    )


def _parts(text: str) -> list[str] | None:
    """Return what stands between the commas of *text*; None where its brackets do not match."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(text):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if depth < 0:
            return None
        if piece == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return [each.strip() for each in parts]


def _column(place: Place, definition: str) -> str | None:
    type_ = column_type(definition)
    if type_ is None:
        return None
    facts = [literal(place.name), type_.words]
    facts += ["nullable=False"] if type_.not_null else []
    facts += [f"server_default={default_sql(type_.default)}"] if type_.default else []
    column = f"sa.Column({', '.join(facts)})"
    return f"op.add_column({literal(place.table)}, {column}{place.options})"


def _constraint(place: Place, definition: str, usual_schema: str | None) -> str | None:
    if not _is_named(place, definition.split(" ", maxsplit=1)[0].lower()):
        return None
    if found := UNIQUE.fullmatch(definition):
        return place.call("create_unique_constraint", name_list(found["columns"]))
    if found := CHECK.fullmatch(definition):
        return place.call("create_check_constraint", sql_literal(found["text"]))
    found = FOREIGN.fullmatch(definition)
    target = [] if found is None else names_in(found["table"])
    if found is None or place.schema is not None or target[:-1] not in ([], [usual_schema]):
        return None
    columns, there = name_list(found["columns"]), name_list(found["there"])
    return place.call("create_foreign_key", literal(target[-1]), columns, there)


def _altered(change: Change, place: Place | None) -> str | None:
    """Return what brings a column back to its type and nullability."""
    before, after = change.before or "", change.after or ""
    if _collations(before) == _collations(after):
        before, after = _COLLATION.sub("", before), _COLLATION.sub("", after)
    old, new = column_type(before), column_type(after)
    if old is None or new is None or place is None:
        return None
    facts = [literal(place.name)]
    facts += [f"type_={old.words}"] if old.words != new.words else []
    facts += [f"nullable={not old.not_null}"] if old.not_null != new.not_null else []
    facts += [f"server_default={default_sql(old.default)}"] if old.default != new.default else []
    facts.append(f"existing_type={new.words}")
    facts += [f"existing_nullable={not new.not_null}"] if old.not_null == new.not_null else []
    kept = new.default if old.default == new.default else None
    facts += [f"existing_server_default={default_sql(kept)}"] if kept else []
    if place.rebuilds:
        return f"{place.batch}batch.alter_column({', '.join(facts)})"
    return f"op.alter_column({', '.join([literal(place.table), *facts])}{place.options})"


def _collations(definition: str) -> list[str]:
    return [each.lower() for each in _COLLATION.findall(definition)]


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type in SQLAlchemy's *words*, and its default in SQL."""

    words: str
    not_null: bool
    default: str | None


def default_sql(default: str | None) -> str:
    """Write the *default* of a column, None where it has none."""
    return "None" if default is None else f"sa.text({sql_literal(default)})"


def column_type(definition: str) -> ColumnType | None:
    """Return the type of a column; None where SQLAlchemy's words for it are in doubt."""
    found = _COLUMN.fullmatch(definition)
    if found is None:
        return None
    word, _, length = found["type"].lower().partition("(")
    name = _TYPES.get(word.strip())
    if name is None or (length and name != "String"):
        return None
    # A text is written with its type in some catalogs, and means the same without.
    default = re.sub(r"'::[a-z ]+\Z", "'", found["default"] or "null")
    known = None if default.lower() == "null" else default
    return ColumnType(
        f"sa.{name}({length.rstrip(')')})",
        bool(found["not_null"] or found["not_null_at_last"]),
        known,
    )


def place_of(change: Change, usual_schema: str | None, *, rebuilds: bool) -> Place | None:
    """Return where the object is; None where its name has more, or fewer, parts than that."""
    parts = names_in(change.name)
    name = ""
    if not parts:
        return None  # the database itself
    if change.kind not in ("table", "enum"):
        *parts, name = parts
    if not 1 <= len(parts) <= 2:
        return None
    schema = parts[0] if len(parts) == 2 and parts[0] != usual_schema else None
    return Place(parts[-1], schema, name, rebuilds)


def names_in(name: str) -> list[str]:
    """Return the names between the dots of *name*, without their quotes."""
    return [bare(each) for each in NAME.findall(name)]


def column_names(columns: str) -> list[str]:
    """Return the names between the commas of *columns*, without their quotes."""
    return [bare(each) for each in re.findall(_NAME, columns)]


def name_list(columns: str) -> str:
    """Write *columns*, the names between commas, as a list."""
    return "[" + ", ".join(map(literal, column_names(columns))) + "]"


def sql_literal(sql: str) -> str:
    """Write *sql* for Alembic and SQLAlchemy, which take ``:word`` in it for a value to come."""
    return literal(for_text(sql))


def literal(value: str) -> str:
    """Write *value* as Python does with double quotes."""
    return json.dumps(value, ensure_ascii=False)
