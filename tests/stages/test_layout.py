"""Generated Python keeps its meaning when it is laid out, and fits on the page."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topchef_schema.stages.layout import WIDTH, imports, laid_out

NAMES = st.sampled_from(["sa", "op.f", "batch_op.create_foreign_key", "mysql.ENUM"])
CONSTANTS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=30), st.floats(allow_nan=False)
).map(repr)


def calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, max_size=5)
    keywords = st.dictionaries(st.sampled_from(["name", "type_", "existing_type"]), inner)

    def call(name: str, given: list[str], named: dict[str, str]) -> str:
        return f"{name}({', '.join([*given, *(f'{k}={v}' for k, v in named.items())])})"

    made = st.builds(call, NAMES, arguments, keywords)
    chained = st.builds(lambda one, other: f"{one}.with_variant({other})", made, inner)
    return st.one_of(made, chained, arguments.map(lambda each: f"[{', '.join(each)}]"))


@given(st.recursive(CONSTANTS, calls, max_leaves=20), st.integers(0, 12))
def test_meaning_is_kept(expression: str, column: int) -> None:
    text = laid_out(expression, column)
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(expression))
    assert laid_out(text, column) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("op.drop_table('jobs')", 'op.drop_table("jobs")'),
        ("op.execute('say \"no\"')", "op.execute('say \"no\"')"),
        ('op.execute("it\'s")', 'op.execute("it\'s")'),
        ("# first\nop.f('a')\n# last", '# first\nop.f("a")\n# last'),
        ("this is no Python", "this is no Python"),
        ("with op.f('jobs') as batch_op:", 'with op.f("jobs") as batch_op:'),
    ],
)
def test_short_lines(text: str, expected: str) -> None:
    assert laid_out(text, 4) == expected


def test_long_calls_are_spread_out() -> None:
    long = "x" * 40
    text = f"op.alter_column('{long}', type_=sa.Text().with_variant(sa.CHAR(3), '{long}'), a=[1])"
    assert laid_out(text, 8).splitlines() == [
        "op.alter_column(",
        f'    "{long}",',
        f'    type_=sa.Text().with_variant(sa.CHAR(3), "{long}"),',
        "    a=[1],",
        ")",
    ]


def test_long_types_are_written_as_a_chain() -> None:
    chain = "sa.Text().with_variant(postgresql.JSONB(), 'postgresql')"
    chain += ".with_variant(mysql.JSON(), 'mysql')"
    text = f"op.alter_column('jobs', 'parameters', type_={chain})"
    lines = laid_out(text, WIDTH - 80).splitlines()
    assert lines == [
        "op.alter_column(",
        '    "jobs",',
        '    "parameters",',
        "    type_=sa.Text()",
        '    .with_variant(postgresql.JSONB(), "postgresql")',
        '    .with_variant(mysql.JSON(), "mysql"),',
        ")",
    ]


def test_imports_of_one_module_stand_on_one_line() -> None:
    lines = {
        "from sqlalchemy.dialects import postgresql",
        "from sqlalchemy.dialects import mysql",
        "import geoalchemy2",
    }
    assert imports(lines).splitlines() == [
        "import geoalchemy2",
        "from sqlalchemy.dialects import mysql, postgresql",
    ]
    assert imports(()) == ""
