"""What a revision file does, as one short text: the same for every Python that reads it.

Layout, comments and docstrings do not count, so that a formatter may touch what was applied.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import warnings
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

ALGORITHM = "ast1"
"""Stands before each fingerprint; what computes them in another way takes another name."""

_LEFT_OUT = {"ctx", "kind", "type_comment", "type_ignores"}
"""Fields that follow from where a node stands, or tell only how it was written."""

_BLOCKS = {"body", "orelse", "finalbody"}


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
        return with_plain_ends(Path(path).read_bytes())
    except OSError:
        return None


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


def _written(tree: ast.AST) -> str:
    """Write *tree* down as ``ast.dump`` does, but in a way that does not depend on the version.

    Empty fields are left out: a new Python brings new ones. Not recursive: a sum of a thousand
    terms is as deep.
    """
    out: list[str] = []
    waiting: list[Any] = [tree]
    while waiting:
        item = waiting.pop()
        kind = item.__class__
        if kind is str:
            out.append(item)
        elif kind is list:
            out.append("[")
            waiting.append("]")
            waiting += [
                each if isinstance(each, ast.AST) else _constant(each) for each in reversed(item)
            ]
        elif kind is ast.Constant:
            out.append(_constant(item.value))
        else:
            name, fields = _shape(kind)
            out.append(name)
            waiting.append(")")
            for field, label, plain in fields:
                waiting += _labelled(item, field, label, plain=plain)
    return "".join(out)


def _labelled(node: ast.AST, field: str, label: str, *, plain: bool) -> tuple[Any, ...]:
    """Return what is to be written of a field of *node*, the last first."""
    value = getattr(node, field, None) if plain else _value(node, field)
    if value is None or value == []:
        return ()
    if isinstance(value, ast.AST | list):
        return value, label
    return (label + _constant(value),)


@cache
def _shape(kind: type[ast.AST]) -> tuple[str, tuple[tuple[str, str, bool], ...]]:
    """Return how a node of *kind* begins, and its fields, in an order that no Python changes.

    Of each field whether all that it holds counts.
    """
    fields = sorted(set(kind._fields) - _LEFT_OUT, reverse=True)
    special = _BLOCKS | {"values", "format_spec"}
    return f"{kind.__name__}(", tuple((each, f"{each}=", each not in special) for each in fields)


def _value(node: ast.AST, field: str) -> Any:
    """Return a field of *node*, without what does nothing."""
    value = getattr(node, field, None)
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
