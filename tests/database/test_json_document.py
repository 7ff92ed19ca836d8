"""What is refused, where it stands, and the one text of what is not."""

from __future__ import annotations

import json
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given

from tests.database.documents import documents, exactly
from topchef_schema.database.json_document import (
    LARGEST_INTEGER,
    MAX_DEPTH,
    MAX_KEY_BYTES,
    SMALLEST_INTEGER,
    JSONValueError,
    encode,
)


def nested(depth: int, innermost: Any = None) -> Any:
    document = innermost
    for level in range(depth):
        document = {"a": document} if level % 2 else [document]
    return document


CYCLE: list[Any] = []
CYCLE.append(CYCLE)

REFUSED = {
    "nul": ({"a": [{"b": "x\0y"}]}, "$.a[0].b", "NUL"),
    "nul in a key": ({"a": {"x\0y": 1}}, '$.a["x\\u0000y"]', "NUL"),
    "high surrogate": (["ok", "\ud800"], "$[1]", "lone surrogate U+D800"),
    "low surrogate in a key": ({"\udfff": 1}, '$["\\udfff"]', "lone surrogate U+DFFF"),
    "surrogates as a pair": ("\ud83d\ude00", "$", "lone surrogate U+D83D"),
    "too large": ({"n": LARGEST_INTEGER + 1}, "$.n", "outside 64 bits"),
    "too small": ({"n": SMALLEST_INTEGER - 1}, "$.n", "outside 64 bits"),
    "nan": ([0.0, float("nan")], "$[1]", "nan"),
    "infinity": ({"two words": float("inf")}, '$["two words"]', "inf"),
    "minus infinity": (float("-inf"), "$", "-inf"),
    "integer key": ({"a": {1: "x"}}, "$.a", "key 1, which is not a string"),
    "none key": ([{None: "x"}], "$[0]", "key None"),
    "long key": ({"a": {"é" * 32768: 1}}, "$.a", "longer than 65535 bytes"),
    "tuple": ({"a": (1, 2)}, "$.a", "tuple"),
    "set": ([{1}], "$[0]", "set"),
    "bytes": (b"x", "$", "bytes"),
    "decimal": ({"price": Decimal(1)}, "$.price", "Decimal"),
    "object": ([object()], "$[0]", "object"),
    "deep": (nested(MAX_DEPTH + 1), "$" + ".a[0]" * 15 + ".a", "deeper than 31"),
    "cycle": (CYCLE, "$" + "[0]" * MAX_DEPTH, "deeper than 31"),
}


@pytest.mark.parametrize(("document", "path", "said"), REFUSED.values(), ids=REFUSED)
def test_refused_with_its_place(document: Any, path: str, said: str) -> None:
    with pytest.raises(JSONValueError) as caught:
        encode(document)
    assert caught.value.path == path
    assert said in caught.value.problem
    assert f"{path} " in str(caught.value)


@pytest.mark.parametrize("value", [SMALLEST_INTEGER, LARGEST_INTEGER, 2**63, 0, -1])
def test_integers_of_64_bits_are_written_in_full(value: int) -> None:
    assert encode(value) == str(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (-0.0, "0.0"),
        (0.1, "0.1"),
        (5e-324, "5e-324"),
        (1e15, "1000000000000000.0"),
        (1e16, "10000000000000000.0"),
        (2.0**63, "9223372036854776000.0"),
        (-1e22, "-10000000000000000000000.0"),
    ],
)
def test_floats_are_written_so_that_they_stay_floats(value: float, text: str) -> None:
    assert encode(value) == text


def test_limits_themselves_are_accepted() -> None:
    assert encode(nested(MAX_DEPTH, 1)).count("1") == 1
    assert encode({"k" * MAX_KEY_BYTES: 1}).endswith('":1}')


def test_equal_documents_are_one_text() -> None:
    assert encode({"b": 1, "a": [None, "é\n"]}) == '{"a":[null,"é\\n"],"b":1}'
    assert encode({"a": [None, "é\n"], "b": 1}) == encode({"b": 1, "a": [None, "é\n"]})


def test_enumerations_are_what_they_are_equal_to() -> None:
    level = IntEnum("level", ["LOW"])
    word = StrEnum("word", ["YES"])
    assert encode([level(1), word("yes")]) == '[1,"yes"]'


def test_json_null_is_null_wherever_it_stands() -> None:
    assert encode([sa.JSON.NULL, None]) == "[null,null]"


@given(documents)
def test_the_text_means_the_document(document: Any) -> None:
    assert exactly(json.loads(encode(document))) == exactly(document)
