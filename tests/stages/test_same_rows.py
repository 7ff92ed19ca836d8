"""Rows are the same where they are so each time, and only there are they compared."""

from __future__ import annotations

import pytest

from topchef_schema.stages.contents import Rows
from topchef_schema.stages.same_rows import Difference, difference


def rows(*values: str, columns: str = "id name at") -> Rows:
    return Rows(tuple(columns.split()), tuple(tuple(each.split()) for each in values))


OURS = rows("1 a t0", "2 b t1", "2 b t1")
AGAIN = rows("2 b t2", "2 b t3", "1 a t0")


def test_what_is_another_each_time_is_not_compared() -> None:
    assert difference(OURS, rows("2 b t8", "1 a t0", "2 b t9"), AGAIN) is None
    assert difference(OURS, rows("t8 b 2", "t0 a 1", "t9 b 2", columns="at name id"), AGAIN) is None


@pytest.mark.parametrize(
    ("theirs", "found"),
    [
        (
            rows("1 a t9", "2 b t8", "2 b t8"),
            Difference(("at",), "(at = t0, id = 1, name = a)", "(at = t9, id = 1, name = a)"),
        ),
        (
            rows("1 a t0", "2 c t8", "2 b t8"),
            Difference(("name",), "(name = b, id = 2, at = t1)", "(name = c, id = 2, at = t8)"),
        ),
        (rows("1 a t0", "2 b t8"), Difference((), "(id = 2, name = b, at = t1)", None)),
        (
            rows("1 a t0", "2 b t8", "2 b t8", "3 c t8"),
            Difference((), None, "(id = 3, name = c, at = t8)"),
        ),
    ],
)
def test_all_else_is(theirs: Rows, found: Difference) -> None:
    assert difference(OURS, theirs, AGAIN) == found


def test_where_nothing_is_another_each_time_all_is_compared() -> None:
    assert difference(OURS, OURS, OURS) is None
    assert difference(OURS, AGAIN, OURS) is not None
