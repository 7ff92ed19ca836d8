"""Python that does nothing when it is run but bind names: what may stand at the top of a revision.

It is an allow-list. What an import may name is loaded by Alembic and SQLAlchemy themselves, from
their oldest versions that we work with to the newest.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from topchef_schema.shortcut.doubt import Doubt


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_POSTGRESQL = _words(
    "ARRAY BIGINT BIT BOOLEAN BYTEA CHAR CIDR CITEXT DATE DATERANGE DOMAIN DOUBLE_PRECISION ENUM "
    "FLOAT HSTORE INET INT4RANGE INT8RANGE INTEGER INTERVAL JSON JSONB MACADDR MONEY NUMERIC "
    "NUMRANGE OID REAL SMALLINT TEXT TIME TIMESTAMP TSRANGE TSTZRANGE TSVECTOR UUID VARCHAR array "
    "insert"
)
_MYSQL = _words(
    "BIGINT BINARY BIT BLOB BOOLEAN CHAR DATE DATETIME DECIMAL DOUBLE ENUM FLOAT INTEGER JSON "
    "LONGBLOB LONGTEXT MEDIUMBLOB MEDIUMINT MEDIUMTEXT NUMERIC REAL SET SMALLINT TEXT TIME "
    "TIMESTAMP TINYBLOB TINYINT TINYTEXT VARBINARY VARCHAR YEAR insert"
)
_SQLALCHEMY = _words(
    "ARRAY BIGINT BLOB BOOLEAN BigInteger Boolean CHAR CheckConstraint Column Computed Connection "
    "DATE DATETIME DECIMAL Date DateTime Engine Enum FLOAT Float ForeignKey ForeignKeyConstraint "
    "INTEGER Identity Index Integer Interval JSON LargeBinary MetaData NUMERIC Numeric PickleType "
    "PrimaryKeyConstraint SMALLINT Sequence SmallInteger String TEXT TIMESTAMP Table Text Time "
    "UUID Unicode UnicodeText UniqueConstraint Uuid VARCHAR and_ bindparam case cast column delete "
    "desc distinct exists false func insert inspect literal not_ null or_ select table text true "
    "update"
)
NAMES: Mapping[str, frozenset[str]] = {
    "__future__": _words("annotations"),
    "alembic": _words("context op"),
    "collections": _words("OrderedDict defaultdict namedtuple"),
    "collections.abc": _words("Callable Collection Iterable Iterator Mapping Sequence"),
    "datetime": _words("date datetime time timedelta timezone"),
    "decimal": _words("Decimal"),
    "enum": _words("Enum IntEnum auto"),
    "math": _words("isfinite"),
    "sqlalchemy": _SQLALCHEMY,
    "sqlalchemy.dialects": _words("mssql mysql oracle postgresql sqlite"),
    "sqlalchemy.dialects.mysql": _MYSQL,
    "sqlalchemy.dialects.postgresql": _POSTGRESQL,
    "sqlalchemy.dialects.sqlite": _words("JSON insert"),
    "sqlalchemy.engine": _words("Connection Engine"),
    "sqlalchemy.engine.reflection": _words("Inspector"),
    "sqlalchemy.orm": _words("Session declarative_base sessionmaker"),
    "sqlalchemy.sql": _words("and_ column func insert or_ select table text update"),
    "typing": _words("Any Callable Dict Iterable List Optional Sequence Tuple Union cast"),
}
MODULES = _words(
    "collections datetime decimal enum json logging math re sqlalchemy typing uuid "
    "sqlalchemy.dialects.mysql sqlalchemy.dialects.postgresql"
)
_PLAIN_TYPES = _words("bool bytes dict float int list object set str tuple")
_OF_ONE = _words("Collection Iterable Iterator List Optional Sequence list set")
_OF_SEVERAL = _words("Tuple Union tuple")


class Bindings:
    """What a module binds at its top: literals by name, and where imported names come from.

    Raises `Doubt` where running it might do anything else, or bind a name twice.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.literals: dict[str, ast.expr] = {}
        self.origins: dict[str, str] = {}
        for statement in tree.body:
            self._add(statement)

    def _add(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.Import() | ast.ImportFrom():
                for name, origin in _imported(statement):
                    self._bind(name, origin, statement)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_literal(value):
                self._bind(name, value, statement)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if is_literal(
                value
            ) and self._is_type(statement.annotation):
                self._bind(name, value, statement)
            case ast.FunctionDef(name=name, decorator_list=[]) if self._is_plain(statement):
                self._bind(name, "this module", statement)
            case _:
                raise _not_inert(statement)

    def _bind(self, name: str, value: ast.expr | str, statement: ast.stmt) -> None:
        if name in self.literals or name in self.origins or name.startswith("__"):
            raise Doubt(f"line {statement.lineno} binds {name}, which is more than a name")
        if isinstance(value, str):
            self.origins[name] = value
        else:
            self.literals[name] = value

    def _is_plain(self, function: ast.FunctionDef) -> bool:
        """Whether defining *function* runs nothing: literals as defaults, types as annotations."""
        if getattr(function, "type_params", None):
            return False
        arguments = function.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
        annotations = [function.returns, *(each.annotation for each in every)]
        defaults = [*arguments.defaults, *(each for each in arguments.kw_defaults if each)]
        return all(map(is_literal, defaults)) and all(map(self._is_type, filter(None, annotations)))

    def _is_type(self, node: ast.expr) -> bool:
        """Whether evaluating the annotation *node* does nothing and cannot fail."""
        match node:
            case ast.Constant(value=None):
                return True
            case ast.Name(id=name):
                return name in _PLAIN_TYPES and self._is_own(name)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                origin = self.origins.get(name)
                return (
                    origin == "sqlalchemy" and attribute in _SQLALCHEMY and attribute[0].isupper()
                )
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                # None | None is no type.
                return not _is_none(left) and self._is_type(left) and self._is_type(right)
            case ast.Subscript(value=ast.Name(id=name), slice=inside) if self._is_own(name):
                return self._is_generic(name, inside)
        return False

    def _is_generic(self, name: str, inside: ast.expr) -> bool:
        if name in _OF_ONE:
            return self._is_type(inside)
        parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        return name in _OF_SEVERAL and bool(parts) and all(map(self._is_type, parts))

    def _is_own(self, name: str) -> bool:
        """Whether *name* is what Python, or its module for types, calls so."""
        if name in _PLAIN_TYPES:
            return name not in self.origins and name not in self.literals
        return self.origins.get(name) in (f"typing.{name}", f"collections.abc.{name}")


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield the names that are bound, each with what it is called where it comes from."""
    for each in statement.names:
        if isinstance(statement, ast.Import):
            if each.name not in MODULES:
                raise _not_inert(statement)
            whole = each.name if each.asname else each.name.partition(".")[0]
            yield each.asname or whole, whole
        else:
            if statement.level or each.name not in NAMES.get(statement.module or "", ()):
                raise _not_inert(statement)
            yield each.asname or each.name, f"{statement.module}.{each.name}"


def _not_inert(statement: ast.stmt) -> Doubt:
    return Doubt(f"line {statement.lineno} may do something when it is run")


def is_literal(node: ast.expr) -> bool:
    """Whether *node* is a constant, or a tuple, list or dictionary of such."""
    match node:
        case ast.Constant():
            return True
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return all(map(is_literal, items))
        case ast.Dict(keys=keys, values=values):
            constant = all(isinstance(key, ast.Constant) for key in keys)
            return constant and all(map(is_literal, values))
    return False


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)
