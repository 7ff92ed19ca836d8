"""Strategies for the documents that every database holds, and when two are exactly equal."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from topchef_schema.database.json_document import (
    LARGEST_INTEGER,
    MAX_DEPTH,
    SMALLEST_INTEGER,
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
integers = st.integers(SMALLEST_INTEGER, LARGEST_INTEGER) | st.sampled_from(
    [SMALLEST_INTEGER, LARGEST_INTEGER, 2**53 + 1, 2**63 - 1, 2**63, -(2**53) - 1]
)
floats = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.1, 1.0, 1e15, 1e16, 1e22, 2.0**53, 2.0**63, -1e300, 5e-324, 1.7976931348623157e308]
)
scalars = st.none() | st.booleans() | integers | floats | texts
shallow = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def _nested(draw: st.DrawFn) -> Any:
    document: Any = draw(scalars)
    for _ in range(draw(st.integers(1, MAX_DEPTH))):
        document = {draw(texts): document} if draw(st.booleans()) else [document]
    return document


documents = shallow | _nested()


def exactly(document: Any) -> Any:
    """Return *document* such that only those of the same types are equal: not 1 and 1.0 or True.

    0.0 and -0.0 are not told apart: PostgreSQL knows only one zero.
    """
    if isinstance(document, dict):
        return {key: exactly(value) for key, value in document.items()}
    if isinstance(document, list):
        return [exactly(value) for value in document]
    return type(document), document
