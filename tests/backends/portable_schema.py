"""Small schemas that every database can hold, each another in one respect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

View = tuple[str, str]
"""A view's name and its query."""

VIEW: View = ("grown_view", "SELECT id FROM grown WHERE amount > 1")


def build(
    *,
    amount: sa.Column[Any] | None = None,
    more: tuple[sa.schema.SchemaItem, ...] = (),
    view: View = VIEW,
) -> tuple[sa.MetaData, View]:
    """Return two tables and a view; the second table has *amount* and *more*."""
    metadata = sa.MetaData()
    sa.Table("parent", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "grown",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("amount", sa.Integer) if amount is None else amount,
        sa.Column("parent_id", sa.Integer),
        *more,
    )
    return metadata, view


def key(**options: Any) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["parent_id"], ["parent.id"], name="fk_grown_parent", **options)


BASE = build
VARIANTS: Mapping[str, Callable[[], tuple[sa.MetaData, View]]] = {
    "type": lambda: build(amount=sa.Column("amount", sa.BigInteger)),
    "length": lambda: build(more=(sa.Column("extra", sa.String(10)),)),
    "another length": lambda: build(more=(sa.Column("extra", sa.String(20)),)),
    "null": lambda: build(amount=sa.Column("amount", sa.Integer, nullable=False)),
    "default": lambda: build(amount=sa.Column("amount", sa.Integer, server_default="7")),
    "column": lambda: build(more=(sa.Column("extra", sa.Integer),)),
    "foreign key": lambda: build(more=(key(),)),
    "foreign key's action": lambda: build(more=(key(ondelete="CASCADE"),)),
    "unique constraint": lambda: build(more=(sa.UniqueConstraint("name", name="uq_grown_name"),)),
    "check": lambda: build(more=(sa.CheckConstraint("amount > 0", name="ck_grown_amount"),)),
    "check's condition": lambda: build(
        more=(sa.CheckConstraint("amount > 1", name="ck_grown_amount"),)
    ),
    "index": lambda: build(more=(sa.Index("ix_grown", "name"),)),
    "unique index": lambda: build(more=(sa.Index("ix_grown", "name", unique=True),)),
    "index's columns": lambda: build(more=(sa.Index("ix_grown", "name", "amount"),)),
    "index's column order": lambda: build(more=(sa.Index("ix_grown", "amount", "name"),)),
    "index's name": lambda: build(more=(sa.Index("ix_grown_name", "name"),)),
    "view": lambda: build(view=("other_view", VIEW[1])),
    "view's query": lambda: build(view=(VIEW[0], "SELECT id FROM grown WHERE amount > 2")),
}


def create(connection: sa.Connection, schema: tuple[sa.MetaData, View]) -> None:
    metadata, (name, query) = schema
    metadata.create_all(connection)
    connection.execute(sa.text(f"CREATE VIEW {name} AS {query}"))
    connection.commit()


def drop(connection: sa.Connection, schema: tuple[sa.MetaData, View]) -> None:
    metadata, (name, _) = schema
    connection.execute(sa.text(f"DROP VIEW {name}"))
    metadata.drop_all(connection)
    connection.commit()
