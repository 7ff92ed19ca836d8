"""What steers a terminal is shown, not sent."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from topchef_schema.model import visible


@given(st.text())
def test_nothing_steers_a_terminal(text: str) -> None:
    shown = visible(text)
    steering = {"Cc", "Cf", "Cs", "Co"}
    assert not [c for c in shown if c not in "\n\t" and unicodedata.category(c) in steering]


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"])))
def test_letters_stay(text: str) -> None:
    assert visible(text) == text


def test_escape_and_override() -> None:
    assert visible("a\x1b[31mb\u202ec\r") == "a\\x1b[31mb\\x202ec\\x0d"
