"""Revision files made by the thousand, for tests and benchmarks of what grows with their number."""

from __future__ import annotations

from collections.abc import Iterator

from tests.whole_projects import revision

Files = dict[str, str]
"""File name to content, as the fixture `project` takes them."""


def linear(count: int) -> Files:
    """Return *count* revisions, one after the other, each of which makes a table."""
    return dict(_file(f"r{number:05}", _before(number)) for number in range(count))


def growing(count: int) -> Files:
    """Return *count* revisions that each make a table; four of five change it, too.

    Every other change is an index, every other a column.
    """
    return dict(_growing(number) for number in range(count))


def _growing(number: int) -> tuple[str, str]:
    table = f"t{number:05}"
    up = f"""\
op.create_table(
    "{table}",
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("made_at", sa.DateTime()),
)"""
    if number % 5:
        up += (
            f'\nop.create_index("ix_{table}_name", "{table}", ["name"])'
            if number % 2
            else f'\nop.add_column("{table}", sa.Column("size", sa.Integer()))'
        )
    down = f'op.drop_table("{table}")'
    return _file(f"r{number:05}", _before(number), up, down)


def joined(count: int) -> Files:
    """Return about *count* revisions that branch and are merged again and again.

    Beside them goes a branch of its own, whose revisions each depend on a merge: there are two
    bases and two heads.
    """
    return dict(_joined(count))


def _joined(count: int) -> Iterator[tuple[str, str]]:
    below: str | None = None
    beside: str | None = None
    for number in range(count // 5):
        root, left, right, top, side = (f"{word}{number:05}" for word in "rabms")
        yield _file(root, below)
        yield _file(left, root)
        yield _file(right, root)
        yield _file(top, (left, right))
        yield _file(side, beside, depends_on=top)
        below, beside = top, side


def wide(tables: int, count: int = 2) -> Files:
    """Return *count* revisions, the first of which makes *tables* tables, each of the last one's.

    The others add a column to the last table.
    """
    up = f"for number in range({tables}):\n    {_WIDE}"
    down = f'for number in reversed(range({tables})):\n    op.drop_table(f"t{{number:05}}")'
    files = dict([_file("r00000", None, up, down)])
    last = f"t{tables - 1:05}"
    for number in range(1, count):
        up = f'op.add_column("{last}", sa.Column("c{number}", sa.Integer()))'
        down = f'op.drop_column("{last}", "c{number}")'
        files |= [_file(f"r{number:05}", _before(number), up, down)]
    return files


_WIDE = """\
op.create_table(
        f"t{number:05}",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(40), index=True),
        sa.Column("parent", sa.Integer(), sa.ForeignKey(f"t{max(number - 1, 0):05}.id")),
    )"""


def wide_models(tables: int) -> str:
    """Return ``models.py`` with the *tables* tables of `wide`."""
    return f"""\
import sqlalchemy as sa

metadata = sa.MetaData()
for number in range({tables}):
    sa.Table(
        f"t{{number:05}}",
        metadata,
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(40), index=True),
        sa.Column("parent", sa.Integer(), sa.ForeignKey(f"t{{max(number - 1, 0):05}}.id")),
    )
"""


def _before(number: int) -> str | None:
    return f"r{number - 1:05}" if number else None


def _file(
    id: str,
    down: str | tuple[str, ...] | None,
    up: str | None = None,
    down_body: str | None = None,
    *,
    depends_on: str | None = None,
) -> tuple[str, str]:
    up = up or f'op.create_table("{id}", sa.Column("id", sa.Integer(), primary_key=True))'
    down_body = down_body or f'op.drop_table("{id}")'
    content = revision(id, up, down_body, down=down, message=f"revision {id}")
    if depends_on is not None:
        content += f'\n\ndepends_on = "{depends_on}"\n'
    return f"{id}.py", content
