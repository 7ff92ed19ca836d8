"""What a revision file does, as one short text: the same for every Python that reads it.

Layout, comments and docstrings do not count, so that a formatter may touch what was applied.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import sys
import warnings
from collections.abc import Callable
from itertools import groupby
from typing import Any

ALGORITHM = "ast1"
"""Stands before each fingerprint; what computes them in another way takes another name."""

_LEFT_OUT = {"ctx", "kind", "type_comment", "type_ignores"}
"""Fields that follow from where a node stands, or tell only how it was written."""

_BLOCKS = {"body", "orelse", "finalbody"}
_SPECIAL = _BLOCKS | {"values", "format_spec"}
"""Fields that may hold what does nothing."""

DEEPEST = 20_000
"""Frames that the deepest tree takes; Python's parser gives up at 6,000 levels or less."""


def fingerprint(source: bytes | None) -> str | None:
    """Return the fingerprint of the text of a revision file; None where there is none to read.

    It holds two hashes: of the syntax tree, which decides, and of the bytes, because to compare
    those of a thousand unchanged files takes no time.
    """
    if source is None:
        return None
    tree = _tree_hash(source)
    if tree is None:
        return hashlib.sha256(source).hexdigest()
    return f"{ALGORITHM}:{tree}:{_hash(source)}"


def does_the_same(source: bytes, recorded: str) -> bool:
    """Whether *source* still does what the file did whose fingerprint was *recorded*.

    An algorithm of a later release cannot be told, and counts as the same. A plain sha256 of the
    bytes, in hexadecimal, is what the first releases recorded, and what has no tree.
    """
    algorithm, separator, hashes = recorded.partition(":")
    if not separator:
        return recorded == hashlib.sha256(source).hexdigest()
    tree, _, plain = hashes.partition(":")
    return algorithm != ALGORITHM or plain == _hash(source) or tree == _tree_hash(source)


def source_of(path: str) -> bytes | None:
    """Return the text of a file, whatever its line ends are; None where only bytecode is there."""
    if not path.endswith(".py"):
        return None
    try:
        with open(path, "rb") as file:
            return with_plain_ends(file.read())
    except OSError:
        return None


def text_of(path: str) -> str:
    """Return what stands in a revision's file; nothing where it cannot be read."""
    return (source_of(path) or b"").decode(errors="replace")


def with_plain_ends(source: bytes) -> bytes:
    """Return *source* as it is checked out where lines end with a line feed alone."""
    return source.replace(b"\r\n", b"\n")


def _hash(content: bytes) -> str:
    """Return the first 168 bits of the sha256: two of them fit into a column of 64 characters."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()[:21]).decode()


def _tree_hash(source: bytes) -> str | None:
    """Return the hash of the syntax tree; None of what this Python cannot read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a "\d": whoever runs the file is told
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return _hash(_written(tree).encode())


def _written(tree: Any) -> str:
    """Write *tree* down as ``ast.dump`` does, but in a way that does not depend on the version.

    Empty fields are left out: a new Python brings new ones.
    """
    try:
        return _WRITERS[tree.__class__](tree)
    except RecursionError:
        # A sum of a thousand terms is as deep; what the parser takes is within this.
        usual = sys.getrecursionlimit()
        sys.setrecursionlimit(usual + DEEPEST)
        try:
            return _WRITERS[tree.__class__](tree)
        finally:
            sys.setrecursionlimit(usual)


class _Writers(dict[Any, Callable[[Any], str]]):
    """What writes down a node, or a value in one, by its kind.

    Made once for each of them, since a thousand files have a hundred thousand nodes.
    """

    def __missing__(self, kind: Any) -> Callable[[Any], str]:
        return self.setdefault(kind, _writer(kind))


_WRITERS = _Writers()


def _writer(kind: Any) -> Callable[[Any], str]:
    """Return what writes down a node, or a value in one, of *kind*."""
    if not issubclass(kind, ast.AST):
        return _list if kind is list else _constant
    if kind is ast.Constant:
        return lambda node: _constant(node.value)
    # In an order that no Python changes.
    fields = sorted(set(kind._fields) - _LEFT_OUT)
    labelled = [(each, f"{each}=") for each in fields]
    read = getattr if _SPECIAL.isdisjoint(fields) else _value
    begun = f"{kind.__name__}("

    def write(node: ast.AST) -> str:
        text = begun
        for field, label in labelled:
            value = read(node, field, None)
            if value is not None:
                of_it = value.__class__
                if value or of_it is not list:
                    text += label + _WRITERS[of_it](value)
        return text + ")"

    return write


def _list(values: list[Any]) -> str:
    return f"[{''.join([_WRITERS[each.__class__](each) for each in values])}]"


def _value(node: ast.AST, field: str, default: None) -> Any:
    """Return a field of *node*, without what does nothing."""
    value = getattr(node, field, default)
    if field in _BLOCKS and isinstance(value, list):
        return [each for each in value if not _does_nothing(each)]
    if field == "values" and isinstance(node, ast.JoinedStr):
        return _joined(node.values)
    if field == "format_spec" and isinstance(value, ast.JoinedStr) and not _joined(value.values):
        return None
    return value


def _does_nothing(statement: ast.AST) -> bool:
    """Whether it is ``pass``, ``...``, a docstring, or another text that stands by itself."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass)


def _constant(value: object) -> str:
    """Write a value so that neither Unicode's tables nor a limit on digits have a say."""
    text = hex(value) if type(value) is int else ascii(value)
    return f"{type(value).__name__} {text},"


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Return the parts of an f-string; where its texts are cut differs between versions."""
    parts: list[ast.expr] = []
    for is_text, group in groupby(values, key=lambda each: isinstance(each, ast.Constant)):
        if is_text:
            text = "".join(str(getattr(each, "value", "")) for each in group)
            parts += [ast.Constant(text)] if text else []
        else:
            parts += group
    return parts
