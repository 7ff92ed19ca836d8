"""Lays out generated Python: Alembic writes it on one line, or on many without their indents."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Collection, Sequence

WIDTH = 100
"""Characters on a line."""

_INDENT = "    "


def laid_out(text: str, column: int) -> str:
    """Return the statements in *text*, each call over as many lines as it needs from *column* on.

    Comments before a statement stay before it; what cannot be read as Python stays as it is.
    """
    try:
        body = ast.parse(text if not text.startswith("with ") else f"{text}\n{_INDENT}pass").body
    except SyntaxError:
        return text
    if text.startswith("with "):
        return _flat(body[0]).splitlines()[0]
    source = text.splitlines()
    lines: list[str] = []
    position = 0
    for statement in body:
        between = source[position : statement.lineno - 1]
        lines += [line.strip() for line in between if line.strip()]
        lines += _statement(statement, column)
        position = statement.end_lineno or statement.lineno
    return "\n".join(lines + [line.strip() for line in source[position:] if line.strip()])


def imports(lines: Collection[str]) -> str:
    """Return import *lines* in order, with one for each module that names are taken from."""
    taken: dict[str, list[str]] = {}
    others = []
    for line in sorted(lines):
        words = line.split(" import ")
        if line.startswith("from ") and len(words) == 2 and "(" not in line:
            taken.setdefault(words[0], []).append(words[1])
        else:
            others.append(line)
    return "\n".join(others + [f"{module} import {', '.join(taken[module])}" for module in taken])


def _statement(statement: ast.stmt, column: int) -> list[str]:
    node = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(node, ast.Call):
        # Not as a chain: without brackets around it, it would end with its first line.
        return _bracketed(f"{_flat(node.func)}(", [*node.args, *node.keywords], ")", column)
    if node is not None:
        return _expression(node, column)
    return _flat(statement).splitlines()


def _expression(node: ast.expr, column: int) -> list[str]:
    """Return the lines of *node*, whose first begins at *column*."""
    flat = _flat(node)
    if column + len(flat) <= WIDTH:
        return [flat]
    if isinstance(node, ast.List):
        return _bracketed("[", node.elts, "]", column)
    if not isinstance(node, ast.Call):
        return [flat]
    lines = []
    for call in _chain(node):
        opening = f"{_flat(call.func)}("
        lines += _bracketed(opening, [*call.args, *call.keywords], ")", column)
    return lines


def _chain(node: ast.Call) -> list[ast.Call]:
    """Return the calls of ``a(..).b(..).c(..)`` as ``a(..)``, ``.b(..)`` and ``.c(..)``."""
    calls = [node]
    while isinstance(calls[0].func, ast.Attribute) and isinstance(calls[0].func.value, ast.Call):
        call = calls[0]
        calls[:1] = [
            calls[0].func.value,
            ast.Call(ast.Name(f".{calls[0].func.attr}"), call.args, call.keywords),
        ]
    return calls


def _bracketed(
    opening: str, items: Sequence[ast.expr | ast.keyword], closing: str, column: int
) -> list[str]:
    """Write *items* on one line where it is long enough, else one below the other."""
    flat = f"{opening}{', '.join(map(_flat, items))}{closing}"
    if column + len(flat) <= WIDTH:
        return [flat]
    lines = [opening]
    for item in items:
        name = f"{item.arg}=" if isinstance(item, ast.keyword) and item.arg else ""
        value = item.value if isinstance(item, ast.keyword) else item
        inner = _expression(value, column + len(_INDENT) + len(name) + len(","))
        inner[0] = name + inner[0]
        inner[-1] += ","
        lines += [_INDENT + line for line in inner]
    return [*lines, closing]


def _flat(node: ast.AST) -> str:
    """Write *node* on one line, with double quotes."""
    text = ast.unparse(node)
    pieces = []
    end = (1, 0)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.start[0] == end[0]:
            pieces.append(" " * (token.start[1] - end[1]))
        pieces.append(_requoted(token.string) if token.type == tokenize.STRING else token.string)
        end = token.end
    return "".join(pieces).strip()


def _requoted(literal: str) -> str:
    if literal.startswith("'") and not literal.startswith("'''") and '"' not in literal:
        return '"' + literal[1:-1].replace("\\'", "'") + '"'
    return literal
