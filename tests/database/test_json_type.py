"""Documents come back as they went in, from four real servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from sqlalchemy.exc import IntegrityError, StatementError

from tests.database.documents import documents, exactly
from tests.database.test_json_document import REFUSED, nested
from topchef_schema.database.json_document import MAX_DEPTH, MAX_KEY_BYTES
from topchef_schema.database.json_type import JSON, JSONValueError

METADATA = sa.MetaData()
TABLE = sa.Table(
    "kept_documents",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("document", JSON),
    sa.Column("nothing_if_none", JSON(none_as_null=True)),
)


@pytest.fixture(scope="module")
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    METADATA.create_all(engine)
    with engine.connect() as connection:
        yield connection
    METADATA.drop_all(engine)


def round_trip(connection: sa.Connection, document: Any) -> Any:
    """Store *document*, read it, and find it again by comparing."""
    with connection.begin() as transaction:
        connection.execute(TABLE.insert().values(id=1, document=document))
        read = connection.scalars(sa.select(TABLE.c.document)).one()
        found = sa.select(TABLE.c.id).where(
            TABLE.c.document == (JSON.NULL if document is None else document)
        )
        assert connection.scalars(found).all() == [1]
        transaction.rollback()
    return read


@given(document=documents)
def test_every_document_comes_back_exactly(connection: sa.Connection, document: Any) -> None:
    assert exactly(round_trip(connection, document)) == exactly(document)


@pytest.mark.parametrize(
    "document",
    [
        nested(MAX_DEPTH),
        nested(MAX_DEPTH - 1, {"a": [1, "x"]}["a"][0]),
        {"k" * MAX_KEY_BYTES: 1},
        {"": {"": ""}},
        {'"': 1, "\\": 2, "'": 3, "%s": 4, ":x": 5, "\x7f\u2028\ufffe": "😀\U0010ffff"},
        [[], {}, [[]], [{}]],
        "null",
        "é" * 70000,
    ],
    ids=lambda document: str(document)[:20],
)
def test_the_edges_come_back_exactly(connection: sa.Connection, document: Any) -> None:
    assert exactly(round_trip(connection, document)) == exactly(document)


@pytest.mark.parametrize(("document", "path", "said"), REFUSED.values(), ids=REFUSED)
def test_what_one_cannot_hold_is_refused_on_all(
    connection: sa.Connection, document: Any, path: str, said: str
) -> None:
    with pytest.raises(StatementError) as caught:
        connection.execute(TABLE.insert().values(id=1, document=document))
    connection.rollback()
    assert isinstance(caught.value.orig, JSONValueError)
    assert caught.value.orig.path == path
    assert path in str(caught.value)


def test_sql_null_and_the_document_null_are_two_things(connection: sa.Connection) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 1, "document": None, "nothing_if_none": None},
        {"id": 2, "document": JSON.NULL, "nothing_if_none": JSON.NULL},
    ]
    documents, nothing = TABLE.c.document, TABLE.c.nothing_if_none
    with connection.begin() as transaction:
        connection.execute(TABLE.insert(), rows)
        connection.execute(
            TABLE.insert().values(id=3, document=sa.null(), nothing_if_none=sa.null())
        )
        connection.execute(TABLE.insert(), [{"id": 4}])

        def ids(condition: sa.ColumnElement[bool]) -> list[int]:
            found = sa.select(TABLE.c.id).where(condition).order_by(TABLE.c.id)
            return list(connection.scalars(found))

        assert ids(documents == JSON.NULL) == [1, 2]
        assert ids(documents.is_(None)) == [3, 4]
        assert ids(nothing == JSON.NULL) == [2]
        assert ids(nothing.is_(None)) == [1, 3, 4]
        assert set(connection.scalars(sa.select(documents))) == {None}
        transaction.rollback()


def test_the_database_itself_keeps_out_what_is_no_json(
    connection: sa.Connection, backend_name: str
) -> None:
    statement = sa.text("INSERT INTO kept_documents (id, document) VALUES (1, '{')")
    if backend_name == "sqlite":
        connection.execute(statement)  # it has no JSON type: the column is text
        connection.rollback()
        return
    with pytest.raises((IntegrityError, sa.exc.DBAPIError)):
        connection.execute(statement)
    connection.rollback()


def test_many_rows_and_updates_go_the_same_way(connection: sa.Connection) -> None:
    rows = [{"id": id_, "document": {"n": id_ / 3}} for id_ in range(20)]
    with connection.begin() as transaction:
        connection.execute(TABLE.insert(), rows)
        connection.execute(TABLE.update().where(TABLE.c.id == 7).values(document=[1e22, "é"]))
        rows_read = connection.execute(sa.select(TABLE.c.id, TABLE.c.document))
        read = {id_: document for id_, document in rows_read}
        transaction.rollback()
    assert read == {**{row["id"]: row["document"] for row in rows}, 7: [1e22, "é"]}


def test_printed_sql_holds_the_document(connection: sa.Connection) -> None:
    statement = TABLE.insert().values(id=1, document={"it's": "é\\"}, nothing_if_none=None)
    with connection.begin() as transaction:
        connection.exec_driver_sql(
            str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
        )
        read = connection.execute(sa.select(TABLE.c.document, TABLE.c.nothing_if_none)).one()
        transaction.rollback()
    assert tuple(read) == ({"it's": "é\\"}, None)
