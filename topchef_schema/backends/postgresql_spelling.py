"""Brings to one spelling what PostgreSQL prints in two ways, and means the same by.

``status IN ('a', 'b')`` on a varchar is kept as a cast of the whole list, and printed as one:
``(ARRAY['a'::character varying, …])::text[]``. Whenever that is read again, by ALTER COLUMN TYPE,
from a dump, from a revision it was pasted into, each element is cast instead, and stays so:
``ARRAY[('a'::character varying)::text, …]``. See transformTypeCast in PostgreSQL's parse_expr.c.
"""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"""'[^']*'|"[^"]*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"""
    r"""|\)::(?P<type>(?:[\w .]|"[^"]*"|\(\d+(?:,\d+)?\))+)\[\]"""
    r"""|,[ ]|[()\[\]]|[^'"$()\[\],]+|.""",
    re.DOTALL,
)
"""What is in quotes is one piece, or several, and so is the end of a cast to a list."""


def as_read_again(definition: str) -> str:
    """Return *definition* with each element cast where a whole list is."""
    # A snapshot asks this of all that there is, and few definitions have such a list.
    if "(ARRAY[" not in definition:
        return definition
    pieces: list[str] = []
    unclosed: list[list[int]] = []
    closed: list[int] = []
    for found in _PIECE.finditer(definition):
        piece = found[0]
        if piece in ("(", "["):
            unclosed.append([len(pieces)])
        elif piece == ", " and unclosed:
            unclosed[-1].append(len(pieces))
        elif piece[0] in ")]" and unclosed:
            within, closed = closed, [*unclosed.pop(), len(pieces)]
            if found["type"] and _is_list(pieces, closed[0], within):
                piece = _cast_each(pieces, closed[0], within, found["type"])
        pieces.append(piece)
    return "".join(pieces)


def _is_list(pieces: list[str], start: int, within: list[int]) -> bool:
    """Whether all that stands in the bracket at *start* is a list with the brackets *within*.

    These are the places of both, and of the commas between. Not a list of lists, and not the
    argument of a function.
    """
    called = start > 0 and pieces[start - 1][-1] not in " (["
    return (
        not called
        and pieces[start + 1 : start + 3] == ["ARRAY", "["]
        and [within[0], within[-1]] == [start + 2, len(pieces) - 1]
        and pieces[start + 3] != "ARRAY"
    )


def _cast_each(pieces: list[str], start: int, within: list[int], type_: str) -> str:
    """Take the bracket at *start* away, cast what is between the commas, and return the end."""
    opening, *commas, closing = within
    pieces[start] = pieces[closing] = ""
    pieces[opening] = "[("
    for each in commas:
        pieces[each] = f")::{type_}, ("
    return f")::{type_}]"
