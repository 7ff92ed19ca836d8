"""Alembic's words for revisions, ranges, plans, and revision files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.whole_projects import MakeProject, revision
from topchef_schema.bridge.revisions import Revisions
from topchef_schema.errors import HistoryError, TopchefError, UsageError
from topchef_schema.model import Direction, Environment, Plan


def steps(plan: Plan) -> list[str]:
    """Return ``+id`` and ``-id`` for each step."""
    return [("+" if each.direction is Direction.UP else "-") + each.revision.id for each in plan]


@pytest.fixture
def linear(project: MakeProject) -> Revisions:
    return project("linear").load().revisions


@pytest.fixture
def branched(project: MakeProject) -> Revisions:
    return project("branched").load().revisions


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("head", ["cc30"]),
        ("heads", ["cc30"]),
        ("base", []),
        ("bb20", ["bb20"]),
        ("b", ["bb20"]),
        ("head-1", ["bb20"]),
        ("cc30-1", ["bb20"]),
        ("aa10+2", ["cc30"]),
        ("aa10-1", []),
        ("bb20@head", ["cc30"]),
    ],
)
def test_words(linear: Revisions, word: str, expected: list[str]) -> None:
    assert [each.id for each in linear.get(word)] == expected


@pytest.mark.parametrize(
    "word", ["zz", "", "aa10+3", "head-9", "nobody@head", "nobody@base", "a@@b"]
)
def test_words_that_name_nothing(linear: Revisions, word: str) -> None:
    for ask in (linear.get, linear.one, linear.between):
        with pytest.raises(UsageError):
            ask(word)
    start = ("bb20",)
    for plan in (linear.upgrade, linear.downgrade):
        with pytest.raises(UsageError):
            plan(word, start)


def test_what_a_revision_says(linear: Revisions) -> None:
    found = linear.one("bb20")
    assert (found.id, found.down, found.depends_on, found.labels) == ("bb20", ("aa10",), (), ())
    assert found.message == "sort names"
    assert found.doc.startswith("sort names\n\nFilled from the names")
    assert found.path == "alembic/versions/bb20_sort_names.py"
    assert not found.is_merge


def test_labels_and_dependencies(branched: Revisions) -> None:
    assert branched.heads == ("b2b2", "c1c1")
    assert branched.bases == ("a0a0",)
    assert branched.one("billing@head").id == "b2b2"
    assert branched.one("shipping@head").depends_on == ("b1b1",)
    assert branched.one("b2b2").labels == ("billing",)
    with pytest.raises(HistoryError) as caught:
        branched.get("head")
    assert "b2b2, c1c1" in caught.value.message
    assert "topchef-db merge" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ["aa10", "bb20", "cc30"]),
        ("base:head", ["aa10", "bb20", "cc30"]),
        (":", ["aa10", "bb20", "cc30"]),
        ("aa10:", ["bb20", "cc30"]),
        (":bb20", ["aa10", "bb20"]),
        ("aa10:bb20", ["bb20"]),
        ("bb20", ["bb20"]),
        ("head", ["cc30"]),
        ("head-1:head", ["cc30"]),
        ("-1:", ["cc30"]),
        ("aa10:+1", ["bb20"]),
        ("a:c", ["bb20", "cc30"]),
        ("bb20:bb20", []),
    ],
)
def test_ranges(linear: Revisions, text: str | None, expected: list[str]) -> None:
    assert [each.id for each in linear.between(text)] == expected


def test_ranges_of_branches(branched: Revisions) -> None:
    assert [each.id for each in branched.between("b1b1:c1c1")] == ["c1c1"]
    # What it depends on must come before it.
    assert [each.id for each in branched.between("a0a0:c1c1")] == ["b1b1", "c1c1"]
    assert [each.id for each in branched.between("a0a0:heads")] == ["b1b1", "c1c1", "b2b2"]
    with pytest.raises(UsageError, match="does not come before"):
        branched.between("c1c1:b2b2")


def test_range_the_wrong_way_round(linear: Revisions) -> None:
    with pytest.raises(UsageError, match='"head" does not come before "base"') as caught:
        linear.between("head:base")
    assert "--down" in caught.value.hint
    assert linear.lower_first("head", "base") == linear.lower_first("base", "head") == "base:head"


def test_plans(linear: Revisions) -> None:
    assert steps(linear.upgrade("heads", ())) == ["+aa10", "+bb20", "+cc30"]
    assert steps(linear.upgrade("+1", ("aa10",))) == ["+bb20"]
    assert steps(linear.downgrade("-1", ("cc30",))) == ["-cc30"]
    assert steps(linear.downgrade("head-1", ("cc30",))) == ["-cc30"]
    assert steps(linear.upgrade("aa10", ("cc30",))) == []
    with pytest.raises(UsageError):
        linear.upgrade("-1", ("cc30",))
    with pytest.raises(UsageError):
        linear.downgrade("+1", ("aa10",))
    with pytest.raises(UsageError):
        linear.downgrade("-4", ("cc30",))


def test_plans_of_branches(branched: Revisions) -> None:
    assert steps(branched.upgrade("billing@head", ())) == ["+a0a0", "+b1b1", "+b2b2"]
    assert steps(branched.upgrade("shipping@+1", ("b1b1",))) == ["+c1c1"]
    assert steps(branched.downgrade("billing@-1", ("b2b2", "c1c1"))) == ["-b2b2"]
    with pytest.raises(HistoryError, match="ambiguous"):
        branched.downgrade("-1", ("b2b2", "c1c1"))
    with pytest.raises(HistoryError, match="several heads"):
        branched.upgrade("head", ())
    everything = branched.upgrade("heads", ())
    assert [each.revision.id for each in branched.way_to(("b2b2", "c1c1"))] == [
        each.revision.id for each in branched.way_to(tuple(branched.applied_heads))
    ]
    assert {each.revision.id for each in everything} == {"a0a0", "b1b1", "b2b2", "c1c1"}


def test_database_of_another_project(linear: Revisions) -> None:
    for plan in (linear.upgrade, linear.downgrade):
        with pytest.raises(HistoryError, match="9999, which this project does not know"):
            plan("head", ("9999",))


def chain(folder: Path, length: int) -> Revisions:
    """Return a project of *length* revisions in a row."""
    versions = folder / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = %(here)s\npath_separator = os\n"
    )
    for number in range(length):
        down = f"r{number - 1}" if number else None
        (versions / f"{number}.py").write_text(revision(f"r{number}", "pass", down=down))
    return Revisions.load(Environment(ini=str(folder / "alembic.ini"), toml=None))


LENGTH = 7


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> Revisions:
    return chain(tmp_path_factory.mktemp("chain"), LENGTH)


PLACES = st.integers(-1, LENGTH - 1)


@given(low=PLACES, high=PLACES)
def test_the_way_down_is_the_way_up_reversed(row: Revisions, low: int, high: int) -> None:
    low, high = sorted((low, high))
    bottom = ("base" if low < 0 else f"r{low}", () if low < 0 else (f"r{low}",))
    top = ("base" if high < 0 else f"r{high}", () if high < 0 else (f"r{high}",))
    up = steps(row.upgrade(top[0], bottom[1])) if high >= 0 else []
    down = steps(row.downgrade(bottom[0], top[1]))
    assert down == [f"-{each[1:]}" for each in reversed(up)]
    assert up == [f"+r{number}" for number in range(low + 1, high + 1)]
    ends = f"{bottom[0]}:{top[0]}"
    assert [each.id for each in row.between(ends)] == [each[1:] for each in up]


UNREADABLE: list[tuple[str, dict[str, str], type[TopchefError], str, str]] = [
    (
        "syntax error",
        {"b.py": "revision = 'b'\ndown_revision = (\n"},
        UsageError,
        "syntax error",
        "alembic/versions/b.py:2",
    ),
    (
        "import error",
        {"b.py": revision("b", "pass", down="aa10").replace("import sqlalchemy", "import nowhere")},
        UsageError,
        "nowhere",
        "alembic/versions/b.py:4",
    ),
    (
        "error at import",
        {"b.py": revision("b", "pass", down="aa10") + "\n1 / 0\n"},
        UsageError,
        "ZeroDivisionError",
        "alembic/versions/b.py:",
    ),
    (
        "id given twice",
        {"b.py": revision("bb20", "pass", down="aa10")},
        UsageError,
        "bb20",
        "alembic",
    ),
    (
        "circle",
        {
            "x.py": revision("xx", "pass", down="yy"),
            "y.py": revision("yy", "pass", down="xx"),
        },
        HistoryError,
        "circle",
        "alembic",
    ),
    (
        "missing parent",
        {"b.py": revision("b", "pass", down="gone")},
        UsageError,
        "gone",
        "alembic",
    ),
    ("no id", {"b.py": '"""x"""\n'}, UsageError, "down_revision", "alembic/versions/b.py"),
]


@pytest.mark.parametrize(
    ("versions", "kind", "words", "where"),
    [case[1:] for case in UNREADABLE],
    ids=[case[0] for case in UNREADABLE],
)
def test_revisions_that_cannot_be_read(
    project: MakeProject,
    versions: dict[str, str],
    kind: type[TopchefError],
    words: str,
    where: str,
) -> None:
    loaded = project("linear", versions=versions).load()
    with pytest.raises(TopchefError) as caught:
        loaded.revisions  # noqa: B018
    assert type(caught.value) is kind
    assert words in caught.value.message
    assert caught.value.where.startswith(where)
    assert caught.value.hint


def test_no_such_folder(project: MakeProject) -> None:
    shop = project("linear")
    shop.versions.parent.rename(shop.root / "elsewhere")
    with pytest.raises(UsageError, match="alembic"):
        shop.load().revisions  # noqa: B018
