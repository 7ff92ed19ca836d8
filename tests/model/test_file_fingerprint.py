"""A fingerprint changes with what a revision does, and with nothing else, on any Python."""

from __future__ import annotations

import ast
import hashlib
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topchef_schema.model.file_fingerprint import does_the_same, fingerprint, source_of

SOURCE = '''"""add prices

Revision ID: aa10
Create Date: 2026-01-01 10:00:00
"""

from alembic import op
import sqlalchemy as sa

revision = "aa10"
down_revision: str | None = None
FACTOR = 0x10 + 1_000 + 1.5 + 2j


def upgrade(*, x: int = -1, **rest: object) -> None:
    """Go up."""
    # the table
    with op.batch_alter_table("books", schema=None) as batch:
        batch.add_column(sa.Column("preis_€", sa.Integer(), nullable=True))
    name = f"{x!r:>{8}}" "text" f"{x}"
    op.execute(b"\\x00" and r"UPDATE \\d" and u"old" and name)
    if (rows := [a for a, *_ in {1: ...}.items() if not a]) and rows[1:, ::2]:
        pass
    match rows:
        case {"a": 1, **others} if others:
            pass
        case [int(), *_] | None:
            pass
        case _:
            raise ValueError from None


async def downgrade():
    global FACTOR, other
    try:
        await op.drop_column("books", "price")
    except* (KeyError, ValueError):
        pass
    else:
        x: int
    finally:
        lambda a, /, b=1, *c: (yield)
'''.encode()

PINNED = "ast1:FT3HFEjGyP4qoK6iF6A5ft8uKMlU:vCNYbYLpCHVtHUSA8fbSoFcVPrdf"
"""The same for every Python, and for ever: databases hold such texts."""

SAME = {
    "comments": (b"    # the table\n", b""),
    "docstrings": (b'"""Go up."""', b'"""Take it up, and say so in another way."""'),
    "no docstring": (b'    """Go up."""\n', b""),
    "header": (b"Create Date: 2026-01-01 10:00:00", b"Create Date: 2027-12-24 18:00:00"),
    "quotes": (b'"price"', b"'price'"),
    "layout": (b'"books", "price"', b'\n        "books",\n        "price",\n    '),
    "numbers": (b"1_000", b"1000"),
    "prefixes": (b'u"old"', b'"old"'),
    "joined texts": (b'"old"', b'"o" "ld"'),
    "line ends": (b"\n", b"\r\n"),
    "nothing done": (b"        x: int\n", b"        x: int\n        ...\n        'a remark'\n"),
}
OTHER = {
    "name": (b'"price"', b'"prize"'),
    "operation": (b"drop_column", b"drop_table"),
    "sign": (b"= -1", b"= 1"),
    "type of a value": (b"1.5", b"1"),
    "nullable": (b"nullable=True", b"nullable=False"),
    "default": (b"FACTOR = 0x10", b"FACTOR = 0x11"),
    "down": (b"down_revision: str | None = None", b'down_revision: str | None = "zz"'),
    "text in f-string": (b'"text"', b'"Text"'),
    "width in f-string": (b"{8}", b"{9}"),
    "conversion in f-string": (b"!r", b"!s"),
    "order": (b'"books", "price"', b'"price", "books"'),
    "bytes": (b"\\x00", b"\\x01"),
    "names": (b"global FACTOR, other", b"global FACTORother"),
}


def test_pinned() -> None:
    assert fingerprint(SOURCE) == PINNED


@pytest.mark.parametrize("what", SAME)
def test_layout_does_not_count(what: str, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(SOURCE.replace(*SAME[what]))
    source = source_of(str(file))
    assert source is not None
    recorded = fingerprint(SOURCE)
    assert recorded is not None
    assert does_the_same(source, recorded)


@pytest.mark.parametrize("what", OTHER)
def test_what_it_does_counts(what: str) -> None:
    changed = SOURCE.replace(*OTHER[what])
    ast.parse(changed)
    assert changed != SOURCE
    recorded = fingerprint(SOURCE)
    assert recorded is not None
    assert not does_the_same(changed, recorded)


def test_older_and_later_ways() -> None:
    plain = hashlib.sha256(SOURCE).hexdigest()
    assert does_the_same(SOURCE, plain)
    assert not does_the_same(SOURCE + b"\n", plain)
    assert does_the_same(SOURCE, "ast2:who:knows")


def test_fits_into_the_column() -> None:
    assert len(fingerprint(SOURCE) or "") <= 64


def test_what_cannot_be_read() -> None:
    assert fingerprint(None) is None
    broken = b"def upgrade(:\n"
    assert fingerprint(broken) == hashlib.sha256(broken).hexdigest()
    assert source_of("aa10.pyc") is None
    assert source_of("not_there.py") is None


@pytest.mark.parametrize("terms", [900, 2500])
def test_deep_tree(terms: int) -> None:
    deep = ("x = " + " + ".join(["1"] * terms)).encode()
    recorded = fingerprint(deep)
    assert recorded is not None
    assert recorded.startswith("ast1:")
    assert not does_the_same(deep + b" + 2", recorded)


def test_a_later_python_brings_empty_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """As 3.12 brought ``type_params``."""
    from topchef_schema.model import file_fingerprint as module

    before = fingerprint(SOURCE)
    for kind, found in ((ast.FunctionDef, []), (ast.Call, None)):
        monkeypatch.setattr(kind, "_fields", ("brand_new", *kind._fields))
        monkeypatch.setattr(kind, "brand_new", found, raising=False)
    module._WRITERS.clear()
    try:
        assert fingerprint(SOURCE) == before
    finally:
        module._WRITERS.clear()


NAMES = st.sampled_from(["a", "b", "ab", "abc"])
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, NAMES, st.text(max_size=3).map(ascii)),
    st.builds("{}({}, {})".format, NAMES, NAMES, st.integers()),
    st.builds("import {} as {}".format, NAMES, NAMES),
    st.builds("{}.{} = [{}]".format, NAMES, NAMES, NAMES),
    st.builds("del {}, {}".format, NAMES, NAMES),
)
MODULES = st.lists(STATEMENTS, min_size=1, max_size=3).map("\n".join)


@given(MODULES, MODULES)
def test_only_equal_trees_are_equal(one: str, other: str) -> None:
    equal = ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    recorded = fingerprint(one.encode())
    assert recorded is not None
    assert does_the_same(other.encode(), recorded) is equal


def test_this_python_reads_its_own_library() -> None:
    """Nodes of every kind there is: none may be one that cannot be written down."""
    folder = Path(ast.__file__).parent
    for name in ("ast.py", "typing.py", "dataclasses.py", "asyncio/tasks.py"):
        assert fingerprint(source_of(str(folder / name))), (name, sys.version)
