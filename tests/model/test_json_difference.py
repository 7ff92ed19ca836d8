"""Every place where two documents differ is found and named, and no other."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.database.documents import documents, scalars, shallow, texts
from topchef_schema.model.json_difference import LONGEST, Difference, differences, path_of, shown


def test_paths_read_like_code() -> None:
    assert path_of([]) == "$"
    assert path_of(["jobs", 3, "naïve", "two words", "1st", ""]) == (
        '$.jobs[3].naïve["two words"]["1st"][""]'
    )


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"a": 1}, {"a": 2}, [("$.a", "1", "2")]),
        ({"a": 1, "b": 2}, {"b": 3}, [("$.a", "1", None), ("$.b", "2", "3")]),
        ({"b": 3}, {"b": 3, "c": 4}, [("$.c", None, "4")]),
        ([1, 2, 3], [1], [("$[1]", "2", None), ("$[2]", "3", None)]),
        ({"a": [{"b": None}]}, {"a": [{}]}, [("$.a[0].b", "null", None)]),
        ({}, [], [("$", "{}", "[]")]),
        (1, True, [("$", "1", "true")]),
        ([0], [False], [("$[0]", "0", "false")]),
        (1, 1.0, []),
        (2**53 + 1, float(2**53), [("$", "9007199254740993", "9007199254740992.0")]),
        ("1", 1, [("$", '"1"', "1")]),
        (None, False, [("$", "null", "false")]),
    ],
)  # fmt: skip
def test_examples(one: Any, other: Any, expected: list[tuple[str, str, str]]) -> None:
    found = [(each.path, each.one, each.other) for each in differences(one, other)]
    assert found == expected


@given(documents)
def test_a_document_does_not_differ_from_a_copy(document: Any) -> None:
    again = json.loads(json.dumps(document))
    assert list(differences(document, copy.deepcopy(document))) == []
    assert list(differences(document, again)) == []


@given(shallow, shallow)
def test_the_other_way_round_it_is_the_same_places(one: Any, other: Any) -> None:
    turned = [Difference(each.path, each.other, each.one) for each in differences(one, other)]
    assert list(differences(other, one)) == turned
    paths = [each.path for each in turned]
    assert len(set(paths)) == len(paths)


@given(document=shallow, value=scalars, data=st.data())
def test_the_one_place_that_was_changed_is_named(
    document: Any, value: Any, data: st.DataObject
) -> None:
    steps = data.draw(places(document))
    changed = {"root": copy.deepcopy(document)}
    at: Any = changed
    way: list[Any] = ["root", *steps]
    for step in way[:-1]:
        at = at[step]
    before, at[way[-1]] = at[way[-1]], value
    assume(isinstance(before, bool) is not isinstance(value, bool) or before != value)
    (found,) = differences(document, changed["root"])
    assert found == Difference(path_of(steps), shown(before), shown(value))


@st.composite
def places(draw: st.DrawFn, document: Any) -> list[str | int]:
    """Draw the way to some place in *document*."""
    steps: list[str | int] = []
    while isinstance(document, dict | list) and document and draw(st.booleans()):
        keys = document if isinstance(document, dict) else range(len(document))
        step: Any = draw(st.sampled_from(sorted(keys)))
        steps.append(step)
        document = document[step]
    return steps


@given(document=st.dictionaries(texts, scalars, min_size=1), data=st.data())
def test_what_only_one_has_is_missing_in_the_other(document: Any, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(document)))
    rest = {name: value for name, value in document.items() if name != key}
    assert list(differences(document, rest)) == [
        Difference(path_of([key]), shown(document[key]), None)
    ]


def test_a_long_value_is_cut() -> None:
    text = shown(["word"] * 1000)
    assert len(text) == LONGEST + 1
    assert text.endswith("…")
