"""Scratch tables are filled with rows that fit, and what is lost of them is counted once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from topchef_schema.stages import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from topchef_schema.backends.base import ScratchDatabase

METADATA = sa.MetaData()
PARENTS = sa.Table(
    "parents",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(5), nullable=False, unique=True),
)
KINDS = sa.Table(
    "kinds",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.ForeignKey("parents.id"), nullable=False),
    sa.Column("letter", sa.String(1)),
    sa.Column("long", sa.Text, nullable=False),
    sa.Column("number", sa.Numeric(8, 2), nullable=False),
    sa.Column("small", sa.SmallInteger, nullable=False),
    sa.Column("real", sa.Float, nullable=False),
    sa.Column("yes", sa.Boolean, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("moment", sa.DateTime, nullable=False),
    sa.Column("hour", sa.Time, nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("identity", sa.Uuid, nullable=False),
    sa.Column("choice", sa.Enum("a", "b", name="choices"), nullable=False),
    sa.Column("doubled", sa.Integer, sa.Computed("small * 2", persisted=True)),
)
CHECKED = sa.Table(
    "checked",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("odd", sa.Integer, sa.CheckConstraint("odd = 4711"), nullable=False),
)


@pytest.fixture
def connection(scratch: ScratchDatabase) -> Iterator[Connection]:
    engine = sa.create_engine(scratch.url, poolclass=sa.NullPool)
    with engine.connect() as opened:
        METADATA.create_all(opened)
        opened.commit()
        yield opened
    engine.dispose()


def test_every_kind_of_column_is_filled(connection: Connection) -> None:
    assert rows.seed(connection, {"nobody"}) == 2 * rows.ROWS
    found = rows.contents(connection, {"checked"})
    assert set(found) == {"parents", "kinds"}
    assert all(values.total() == rows.ROWS for values in found["kinds"].values())
    # NULL where it may be, and no two rows alike.
    assert found["kinds"]["letter"]["None"] == 1
    assert len(found["kinds"]["parent_id"]) == rows.ROWS
    assert connection.execute(sa.select(sa.func.count()).select_from(CHECKED)).scalar_one() == 0
    # What has rows is left alone.
    assert rows.seed(connection, set()) == 0


def test_left_out_tables_stay_empty(connection: Connection) -> None:
    assert rows.seed(connection, {"kinds", "checked"}) == rows.ROWS
    assert rows.contents(connection, {"parents", "checked"})["kinds"]["id"] == Counter()


def contents(**columns: list[object]) -> rows.Contents:
    return {"t": {name: Counter(map(repr, values)) for name, values in columns.items()}}


@pytest.mark.parametrize(
    ("before", "after", "losses"),
    [
        (contents(a=[1, 2]), contents(a=[2, 1]), []),
        (contents(a=[1, 2]), contents(a=[1, 2, 3]), []),
        (contents(a=[1, 2]), contents(a=[1, 9]), [("a", 1, 0, "2")]),
        (contents(a=[1, 1]), contents(a=[1, 9]), [("a", 1, 0, "1")]),
        (contents(a=[1, 2], b=[3, 4]), contents(a=[1], b=[3]), [(None, 2, 1, "a = 2")]),
        (contents(a=[1, 2], b=[3, 4]), {}, [(None, 2, 0, "a = 1")]),
        # A column that the upgrade drops was never there after it.
        (contents(a=[1]), contents(a=[1], b=[2]), []),
        (contents(a=[1], b=[2]), contents(a=[1]), [("b", 1, 0, "2")]),
    ],
)
def test_losses(
    before: rows.Contents, after: rows.Contents, losses: list[tuple[str | None, int, int, str]]
) -> None:
    found = rows.lost(before, after, contents(a=[], b=[], c=[]))
    assert [(each.column, each.before, each.after, each.example) for each in found] == losses
    assert rows.lost(before, after, {}) == []
