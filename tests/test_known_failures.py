"""What goes wrong with migrations has a test that shows that it does not go wrong here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "known-failures.md"
BEGIN = "<!-- written by tests/test_known_failures.py -->\n"


class Fact(NamedTuple):
    """What goes wrong elsewhere, and what topchef-db does instead."""

    failure: str
    answer: str


FACTS = {
    1: Fact(
        "Several processes upgrade one database at the same time, and all but one of them die.",
        "One works, the others wait for its lock and find nothing left to do.",
    ),
    2: Fact(
        "A process is killed between two statements, and every later run says `already exists`.",
        "The next run goes on behind the last statement that was done.",
    ),
    3: Fact(
        "A home-made advisory lock on PostgreSQL stops `CREATE INDEX CONCURRENTLY`, or is itself "
        "lost.",
        "The lock has a session of its own that is in no transaction; who waits asks again, and "
        "holds nothing meanwhile.",
    ),
    4: Fact(
        "On MySQL and MariaDB a named lock is one for all databases of the server, and an `ALTER "
        "TABLE` that waits blocks every later query of its table for a day or more.",
        "The name is a hash of the database and its version table; DDL waits a few seconds, lets "
        "go, and is tried again.",
    ),
    5: Fact(
        "A lock that is a file somebody has made stays when its maker is killed.",
        "The kernel, or the server, takes the lock back when its holder dies.",
    ),
    6: Fact(
        "One exit code stands for everything, so that a pipeline cannot tell what happened.",
        "Each kind of failure has a code of its own; a traceback means a bug.",
    ),
    7: Fact(
        "A `%` in a URL ends in an error that shows the password.",
        "It works, and where it cannot, the message names the file and not the line.",
    ),
    8: Fact(
        "A check of downgrades sees no functions, views, types, sequences, grants or rows, and "
        "takes longer and longer.",
        "The round trip compares all that the catalog has, and the rows, one revision at a time.",
    ),
    9: Fact(
        "A comparison with the models is blind to a named CHECK constraint.",
        "The round trip reads constraints from the catalog.",
    ),
    10: Fact(
        "A type is made by two revisions, which goes well in one run and fails in two.",
        "The round trip takes each revision as if it were alone, and reports the second one.",
    ),
    11: Fact(
        "What stands before an `autocommit_block` is committed although the revision fails.",
        "The run ends with exit code 6, and its message lists what stays.",
    ),
    12: Fact(
        "In one transaction for all revisions, the failure of one takes the others back.",
        "The message says which revisions of the run stay; the round trip gives each its own.",
    ),
    13: Fact(
        "Where rows and tables are mixed, a failed revision leaves one without the other.",
        "SQLite undoes both. MariaDB and MySQL undo neither; the message lists what stays, and it "
        "is not sent again.",
    ),
    14: Fact(
        "Changing a column of MySQL or MariaDB loses the default, the comment and "
        "`AUTO_INCREMENT`.",
        "The round trip reports the column with what it was and what it is.",
    ),
    15: Fact(
        "A batch operation on SQLite deletes the rows that refer to the table it copies.",
        "The run stops before the table is dropped, and says how to go on.",
    ),
    16: Fact(
        "A unique index that could not be built stays INVALID, and `IF NOT EXISTS` is content with "
        "it.",
        "An INVALID index is dropped before it is built again; `repair` shows it.",
    ),
    17: Fact(
        "An offline script stops at a revision that reads the database, and does not say where.",
        "The revision is run on a scratch database; where that cannot be, the message has its "
        "file, line and reason.",
    ),
    18: Fact(
        "The client is dead while its statement goes on, and the next run collides with it.",
        "The next run waits for the end of that statement.",
    ),
    19: Fact(
        "A timeout for locks also ends index builds and data migrations.",
        "Only waits that let others wait are bounded.",
    ),
    20: Fact(
        "The statement timeout of the database does not cover every statement.",
        "What the server cannot bound, a second session ends.",
    ),
    21: Fact(
        "An interrupted revision is gone on with by counting, although it does other things now.",
        "Each statement is compared with the journal; at the first other one nothing is sent.",
    ),
    22: Fact(
        "A revision that is tried out names the real database, or changes the whole server.",
        "Scratch work is done by a user who has rights on the scratch database alone, or on a "
        "server of its own.",
    ),
    23: Fact(
        "A line end in a message leaves its comment and is run; a client goes on after an error.",
        "Comments are one line, and a script tells its client to stop.",
    ),
    24: Fact(
        "Looking at a SQLite database that is not there makes it.",
        "No command that only looks makes a file.",
    ),
    25: Fact(
        "An `env.py` for two databases migrates the first, and leaves the second empty.",
        "Each database is visited with steps of its own.",
    ),
    26: Fact(
        "A pooling proxy looks like a server as long as one client is connected.",
        "Two connections ask at the same time, one of them in a transaction; a proxy is refused.",
    ),
    27: Fact(
        "Closing any descriptor of a SQLite file gives up all locks of the process on it.",
        "The lock is on a file of its own beside the database, which is never removed.",
    ),
}


def marked(path: Path) -> Iterator[tuple[int, str]]:
    """Return the numbers of the facts that tests of a file prove, and the names of these tests."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef):
            continue
        for each in node.decorator_list:
            if isinstance(each, ast.Call) and ast.unparse(each.func) == "pytest.mark.fact":
                yield from ((ast.literal_eval(number), node.name) for number in each.args)


@cache
def proofs() -> dict[int, dict[str, list[str]]]:
    """Return, for each fact, the files that prove it and the tests in them."""
    found: dict[int, dict[str, list[str]]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for number, name in marked(path):
            files = found.setdefault(number, {})
            files.setdefault(path.relative_to(TESTS.parent).as_posix(), []).append(name)
    return found


def table() -> str:
    """Return the table of the page."""
    lines = ["| what goes wrong | what topchef-db does | shown by |", "|---|---|---|"]
    for number, files in sorted(proofs().items()):
        fact = FACTS[number]
        where = ", ".join(f"`{name}`" for name in files)
        lines.append(f"| {fact.failure} | {fact.answer} | {where} |")
    return "\n".join(lines) + "\n"


def test_facts_are_numbered_without_a_gap() -> None:
    assert list(FACTS) == list(range(1, 28))


@pytest.mark.parametrize("number", FACTS)
def test_fact_has_a_test(number: int) -> None:
    assert number in proofs(), FACTS[number].failure


def test_marks_name_facts() -> None:
    assert set(proofs()) <= set(FACTS)
    tests = [name for files in proofs().values() for names in files.values() for name in names]
    assert all(name.startswith("test_") for name in tests)


def test_page_is_fresh(request: pytest.FixtureRequest) -> None:
    head, marker, _ = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    assert marker, f"the line {BEGIN.strip()} is missing"
    fresh = head + BEGIN + "\n" + table()
    if request.config.option.update:
        PAGE.write_text(fresh, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == fresh, (
        "help: pytest tests/test_known_failures.py --update"
    )
