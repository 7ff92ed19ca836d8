"""All databases answer a question about a document alike, and as Python would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from tests.database.documents import scalars, shallow, texts
from topchef_schema.database.json_type import JSON

METADATA = sa.MetaData()
TABLE = sa.Table(
    "asked_documents",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("document", JSON),
)
DOCUMENT = TABLE.c.document
ROWS: dict[int, Any] = {
    1: {"k": "x", "n": 5, "t": True, "z": None, "a": [1, "b", {"c": [True, None, 2.5]}]},
    2: {"k": "X", "n": 1, "t": False, "f": 0.30000000000000004, "big": 2**64 - 1},
    3: {"k": 5, "n": "5", "t": 1, "e": 1e22},
    4: [1, 2, 3],
    5: None,
    6: "x",
    7: 5,
    8: {"k": "x "},
    9: {"k": '"x"'},
    10: {"k": "x\u0301é😀\n\x7f"},
    11: {"": 3, "a.b": 1, "a'b": 2, "a%b": 3, "a:b": 4, "0": 5, "naïve ключ": 6},
    12: {"k": 1.0},
    13: {"k": 1},
    14: {"k": True},
    15: {"k": [1, 2], "a": [{}]},
    16: {"k": {"b": 1, "a": [1.5]}},
}
HAVE_K = {1, 2, 3, 8, 9, 10, 12, 13, 14, 15, 16}
K = DOCUMENT["k"]

ANSWERS = {
    "text": (K == "x", {1}),
    "text has case": (K == "X", {2}),
    "text has spaces": (K == "x ", {8}),
    "text has quotes": (K == '"x"', {9}),
    "text is unicode": (K == "x\u0301é😀\n\x7f", {10}),
    "not the text": (K != "x", HAVE_K - {1}),
    "number": (K == 5, {3}),
    "number is no text": (DOCUMENT["n"] == "5", {3}),
    "integer equals float": (K == 1, {12, 13}),
    "float equals integer": (K == 1.0, {12, 13}),
    "not the number": (K != 1, HAVE_K - {12, 13}),
    "all digits of a float": (DOCUMENT["f"] == 0.30000000000000004, {2}),
    "all digits of an integer": (DOCUMENT["big"] == 2**64 - 1, {2}),
    "large float": (DOCUMENT["e"] == 1e22, {3}),
    "true": (DOCUMENT["t"] == True, {1}),  # noqa: E712
    "false": (DOCUMENT["t"] == False, {2}),  # noqa: E712
    "one is not true": (DOCUMENT["t"] == 1, {3}),
    "true is not one": (K == True, {14}),  # noqa: E712
    "null": (DOCUMENT["z"] == JSON.NULL, {1}),
    "nothing there": (DOCUMENT["z"].is_(None), set(ROWS) - {1}),
    "something there": (DOCUMENT["z"].is_not(None), {1}),
    "array": (K == [1, 2], {15}),
    "object in any order": (K == {"b": 1, "a": [1.5]}, {16}),
    "one of": (K.in_(["x", 1, [1, 2]]), {1, 12, 13, 15}),
    "none of": (K.not_in(["x", 1]), HAVE_K - {1, 12, 13}),
    "index": (DOCUMENT["a"][0] == 1, {1}),
    "index of the document": (DOCUMENT[2] == 3, {4}),
    "index of what is no array": (DOCUMENT[0].is_(None), set(ROWS) - {4}),
    "path to what is no array": (DOCUMENT["k", 0].is_(None), set(ROWS) - {15}),
    "path ends in a key like an index": (DOCUMENT["a", "0"].is_(None), set(ROWS)),
    "index in a scalar": (DOCUMENT["n"][0].as_integer() == 5, set()),
    "index as integer": (DOCUMENT[0].as_integer() == 1, {4}),
    "index beyond": (DOCUMENT["a"][9].is_(None), set(ROWS)),
    "path": (DOCUMENT["a", 2, "c", 0] == True, {1}),  # noqa: E712
    "steps": (DOCUMENT["a"][2]["c"][2] == 2.5, {1}),
    "steps to null": (DOCUMENT["a"][2]["c"][1] == JSON.NULL, {1}),
    "empty key": (DOCUMENT[""] == 3, {11}),
    "dotted key": (DOCUMENT["a.b"] == 1, {11}),
    "quoted key": (DOCUMENT["a'b"] == 2, {11}),
    "percent key": (DOCUMENT["a%b"] == 3, {11}),
    "colon key": (DOCUMENT["a:b"] == 4, {11}),
    "digit key": (DOCUMENT["0"] == 5, {11}),
    "unicode key": (DOCUMENT["naïve ключ"] == 6, {11}),
    "whole document": (DOCUMENT == [1, 2, 3], {4}),
    "whole document null": (DOCUMENT == JSON.NULL, {5}),
    "whole document text": (DOCUMENT == "x", {6}),
    "with itself": (K == K, HAVE_K),  # noqa: PLR0124
    "as string": (K.as_string() == "X", {2}),
    "as integer": (DOCUMENT["0"].as_integer() == 5, {11}),
    "as float": (DOCUMENT["f"].as_float() > 0.2, {2}),
    "as boolean": (DOCUMENT["a", 2, "c", 0].as_boolean(), {1}),
}


@pytest.fixture(scope="module")
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    METADATA.create_all(engine)
    with engine.connect() as connection:
        with connection.begin():
            rows = [{"id": id_, "document": document} for id_, document in ROWS.items()]
            connection.execute(TABLE.insert(), rows)
        yield connection
    METADATA.drop_all(engine)


@pytest.mark.parametrize(("question", "ids"), ANSWERS.values(), ids=ANSWERS)
def test_all_answer_alike(connection: sa.Connection, question: Any, ids: set[int]) -> None:
    with connection.begin():
        found = connection.scalars(sa.select(TABLE.c.id).where(question)).all()
    assert set(found) == ids


def test_what_is_taken_out_is_what_was_in(connection: sa.Connection) -> None:
    with connection.begin():
        read = {id_: found for id_, found in connection.execute(sa.select(TABLE.c.id, K))}
    for id_, document in ROWS.items():
        there = document["k"] if id_ in HAVE_K else None
        assert read[id_] == there
        assert type(read[id_]) is type(there)


findable = texts.filter(lambda key: not re.search(r'^-|["\\\x00-\x1f]', key))


@given(data=st.data(), document=st.dictionaries(findable, shallow, min_size=1, max_size=4))
def test_every_member_is_found_by_its_key(
    connection: sa.Connection, data: st.DataObject, document: dict[str, Any]
) -> None:
    key = data.draw(st.sampled_from(sorted(document)))
    value = document[key]
    condition = DOCUMENT[key] == (JSON.NULL if value is None else value)
    with connection.begin() as transaction:
        connection.execute(TABLE.insert().values(id=100, document=document))
        found = sa.select(DOCUMENT[key]).where(TABLE.c.id == 100, condition)
        assert connection.scalars(found).all() == [value]
        transaction.rollback()


@given(one=scalars, other=scalars)
def test_two_values_are_equal_if_python_says_so(
    connection: sa.Connection, one: Any, other: Any
) -> None:
    assume(other is not None)
    equal = one == other and isinstance(one, bool) == isinstance(other, bool)
    with connection.begin() as transaction:
        connection.execute(TABLE.insert().values(id=100, document={"v": one}))
        found = sa.select(TABLE.c.id).where(TABLE.c.id == 100, DOCUMENT["v"] == other)
        assert bool(connection.scalars(found).all()) == equal
        transaction.rollback()


@pytest.mark.parametrize(
    "key", ["-", "--force", 'a"b', "a\\b", "a\nb", "\0", "\ud800", -1, True, 1.5, None]
)
def test_what_not_all_can_look_up_is_refused(key: Any) -> None:
    with pytest.raises(ValueError, match=r"look up the key|indexed with"):
        DOCUMENT[key]
    with pytest.raises(ValueError, match=r"look up the key|indexed with"):
        DOCUMENT["a", key]


@pytest.mark.parametrize("operator", ["__lt__", "__le__", "__gt__", "__ge__"])
def test_documents_have_no_order(operator: str) -> None:
    with pytest.raises(TypeError, match="as_float"):
        getattr(K, operator)(3)


def test_an_sqlite_before_arrows_gets_what_it_knows() -> None:
    dialect = sqlite.dialect()
    assert " -> " in str(sa.select(K).compile(dialect=dialect))
    dialect.dbapi = SimpleNamespace(sqlite_version_info=(3, 37, 2))  # type: ignore[assignment]
    assert "JSON_EXTRACT" in str(sa.select(K).compile(dialect=dialect))
