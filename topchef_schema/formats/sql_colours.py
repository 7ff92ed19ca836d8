"""SQL in colours, where Pygments is installed; the same text without them, where it is not.

Only four kinds are told apart, so that the page does not change with each release of Pygments.
"""

from __future__ import annotations

from collections.abc import Iterator

from topchef_schema.formats.html_text import text
from topchef_schema.model import visible

LARGE = 200_000
"""Characters from which on a text stays without colours: a browser has enough to do."""


def coloured(sql: str) -> str:
    """Return *sql* as HTML."""
    plain = visible(sql)
    if len(plain) > LARGE:
        return text(plain)
    return "".join(
        text(piece) if kind is None else f'<span class="{kind}">{text(piece)}</span>'
        for kind, piece in _joined(_pieces(plain))
    )


def _pieces(sql: str) -> Iterator[tuple[str | None, str]]:
    try:
        from pygments.lexers.sql import SqlLexer
    except ImportError:
        yield None, sql
        return
    from pygments.token import Comment, Keyword, Number, String, is_token_subtype

    kinds = ((Comment, "c"), (Keyword, "k"), (String, "s"), (Number, "n"))
    for _, token, piece in SqlLexer().get_tokens_unprocessed(sql):
        yield next((kind for group, kind in kinds if is_token_subtype(token, group)), None), piece


def _joined(pieces: Iterator[tuple[str | None, str]]) -> Iterator[tuple[str | None, str]]:
    """Yield the pieces, those of one kind that stand side by side as one."""
    last: str | None = None
    whole = ""
    for kind, piece in pieces:
        if kind != last and whole:
            yield last, whole
            whole = ""
        last, whole = kind, whole + piece
    if whole:
        yield last, whole
