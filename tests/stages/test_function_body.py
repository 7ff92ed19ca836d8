"""One function for several databases: what all do stands plainly, the rest is guarded."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

from topchef_schema.bridge.autogenerate import Operation, mark
from topchef_schema.stages.function_body import merged

JOBS = "with op.batch_alter_table('jobs') as batch_op:"
SERVICES = "with op.batch_alter_table('services') as batch_op:"


def lines(bodies: dict[str, list[Operation]]) -> list[str]:
    return merged({name: tuple(each) for name, each in bodies.items()}).splitlines()


def test_nothing_to_do() -> None:
    assert lines({"sqlite": [], "postgresql": []}) == ["pass"]


def test_what_all_do_is_not_guarded() -> None:
    both = [Operation("op.a()"), Operation("batch_op.b()", JOBS)]
    assert lines({"sqlite": both, "mysql": both}) == [
        "op.a()",
        'with op.batch_alter_table("jobs") as batch_op:',
        "    batch_op.b()",
    ]


def test_guards_stand_where_they_are_needed() -> None:
    inside = [Operation(f"batch_op.{name}()", JOBS) for name in "abcd"]
    found = lines(
        {
            "sqlite": [*inside[:2], Operation("op.x()")],
            "postgresql": [inside[0], inside[2], inside[3], Operation("batch_op.y()", SERVICES)],
        }
    )
    assert found == [
        "backend = op.get_context().dialect.name",
        'with op.batch_alter_table("jobs") as batch_op:',
        "    batch_op.a()",
        '    if backend == "postgresql":',
        "        batch_op.c()",
        "        batch_op.d()",
        '    if backend == "sqlite":',
        "        batch_op.b()",
        'if backend == "postgresql":',
        '    with op.batch_alter_table("services") as batch_op:',
        "        batch_op.y()",
        'if backend == "sqlite":',
        "    op.x()",
    ]


def test_each_database_keeps_its_own_order() -> None:
    drop, create, other = (Operation(f"op.{name}()") for name in ("drop", "create", "other"))
    bodies = {
        "sqlite": [create, other],
        "postgresql": [other, drop, create],
        "mysql": [drop, create, other],
    }
    text = "\n".join(lines(bodies))
    for name, operations in bodies.items():
        heard: list[str] = []
        dialect = SimpleNamespace(name=name)
        op = SimpleNamespace(get_context=partial(SimpleNamespace, dialect=dialect))
        for each in operations:
            setattr(op, each.text[3:-2], partial(heard.append, each.text))
        exec(text, {"op": op})
        assert heard == [each.text for each in operations]


def test_mariadb_is_told_from_mysql_by_more_than_the_url() -> None:
    found = "\n".join(lines({"mysql": [], "mariadb": [Operation("found.append(backend)")]}))

    class Dialect:
        name = "mysql"
        is_mariadb = True

    class Op:
        def get_context(self) -> Op:
            return self

        dialect = Dialect()

    reached: list[str] = []
    exec(found, {"op": Op(), "found": reached})
    Dialect.is_mariadb = False
    exec(found, {"op": Op(), "found": reached})
    assert reached == ["mariadb"]


def test_words_of_each_database_for_one_type_become_variants() -> None:
    def change(word: str) -> list[Operation]:
        return [Operation(f"op.alter('a', existing_type={mark(0)})", None, (word,))]

    words = {
        "postgresql": "postgresql.JSON()",
        "sqlite": "sa.TEXT()",
        "mariadb": "mysql.LONGTEXT()",
        "mysql": "mysql.LONGTEXT()",
    }
    assert lines({name: change(word) for name, word in words.items()}) == [
        "op.alter(",
        '    "a",',
        "    existing_type=sa.TEXT()",
        '    .with_variant(postgresql.JSON(), "postgresql")',
        '    .with_variant(mysql.LONGTEXT(), "mariadb", "mysql"),',
        ")",
    ]
    assert lines({name: change("sa.TEXT()") for name in words}) == [
        'op.alter("a", existing_type=sa.TEXT())'
    ]
