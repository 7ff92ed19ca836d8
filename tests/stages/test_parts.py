"""A long history is proven in two parts, and what is found is what one part finds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.whole_projects import MakeProject, Whole, revision, text
from topchef_schema import roundtrip
from topchef_schema.backends.base import SCRATCH_PREFIX
from topchef_schema.stages import prove
from topchef_schema.stages.worker import WorkerError

if TYPE_CHECKING:
    from topchef_schema.backends.base import Server
    from topchef_schema.model import Finding, Report

KEY = 'sa.Column("id", sa.Integer, primary_key=True)'
MOOD = 'sa.Column("mood", sa.Enum("calm", "loud", name="mood"))'


def makes(name: str, *columns: str) -> str:
    return f"op.create_table({', '.join([repr(name), KEY, *columns])})"


def drops(name: str) -> str:
    return f'op.drop_table("{name}")'


def in_batch(change: str) -> str:
    return f'with op.batch_alter_table("base") as batch:\n    batch.{change}'


HISTORY = {
    "a1": (makes("base"), drops("base"), None),
    "b2": (makes("kept") + "\n" + makes("two"), drops("two"), "a1"),
    "c3": (
        'op.get_bind().execute(sa.text("SELECT id FROM base")).first() or 1 / 0',
        'op.execute("UPDATE base SET id = id")',
        "b2",
    ),
    "d4": ('op.execute("DELETE FROM nowhere")', "pass", "a1"),
    "e5": (makes("five"), drops("five"), "c3"),
    "f6": (makes("six") + "\n" + makes("left"), drops("six"), "e5"),
    "g7": (makes("seven"), drops("seven"), "f6"),
    "h8": ('op.execute("DELETE FROM kept")', "pass", "g7"),
    "i9": (makes("nine"), drops("nine"), "d4"),
}
"""What makes each revision, what undoes it, and on what it stands."""


EASY = {id_: each for id_, each in HISTORY.items() if id_ != "c3"}
EASY["e5"] = (makes("five"), drops("five"), "b2")
"""The same where each goes up on empty tables, so that the parts can stand."""

FILLS = {
    "a1": (makes("base"), drops("base"), None),
    "b2": ('op.get_bind().execute(sa.text("SELECT id FROM base")).first() or 1 / 0', "pass", "a1"),
    "c3": ('op.execute("ALTER TABLE base ADD COLUMN must integer NOT NULL")', "pass", "b2"),
    "d4": (makes("four"), drops("four"), "c3"),
    "e5": (makes("five") + "\n" + makes("left"), drops("five"), "d4"),
    "f6": (makes("six"), drops("six"), "e5"),
}
"""One needs rows, and the next refuses them."""

LATER = {
    "a1": (makes("base"), drops("base"), None),
    "b2": (
        'op.add_column("base", sa.Column("more", sa.Integer))',
        in_batch('drop_column("more")'),
        "a1",
    ),
    "c3": ('op.execute("UPDATE base SET more = 5 WHERE more IS NULL")', "pass", "b2"),
    "d4": (
        in_batch('alter_column("more", nullable=False)'),
        in_batch('alter_column("more", nullable=True)'),
        "c3",
    ),
}
"""What the later part does goes well with rows that have been through the first."""

REFUSED = {
    "a1": (makes("base"), drops("base"), None),
    "b2": (makes("two"), drops("two"), "a1"),
    "c3": (FILLS["c3"][0], in_batch('drop_column("must")'), "b2"),
    "d4": (makes("four") + "\n" + makes("left"), drops("four"), "c3"),
}
"""One of the later part refuses rows that were made in the first."""

LAST_MADE = {**REFUSED, "c3": (REFUSED["c3"][0].replace("base", "two"), "pass", "b2")}
"""The same of a table that the last revision of the first part has made."""

COPIED = {
    "a1": (
        makes("base") + "\n" + makes("log", 'sa.Column("kind", sa.String(9))'),
        drops("log") + "\n" + drops("base"),
        None,
    ),
    "b2": ("op.execute(\"INSERT INTO log SELECT id + 1000, 'old' FROM base\")", "pass", "a1"),
    "c3": ("op.execute(\"DELETE FROM log WHERE kind = 'old'\")", "pass", "b2"),
    "d4": (makes("four"), drops("four"), "c3"),
}
"""One of the first part makes rows out of others, of which the later part makes something."""


def written(project: MakeProject, history: dict[str, tuple[str, str, str | None]]) -> Whole:
    return project(
        versions={
            f"{id_}.py": revision(id_, up, down, down=parent)
            for id_, (up, down, parent) in history.items()
        }
    )


def proven(whole: Whole, server: Server, **options: Any) -> Report:
    report: Report = roundtrip(whole.load(), on=[text(server)], **options)
    return report


def told(report: Report) -> list[tuple[object, ...]]:
    findings = [
        (each.rule, each.severity, each.revision, each.object, each.line, each.help, said(each))
        for each in report.findings
    ]
    checks = [(each.revision, each.name, each.outcome, each.detail) for each in report.checks]
    return [*checks, *findings]


def said(finding: Finding) -> str:
    """Return the message without the name of a scratch database, which is another each time."""
    return re.sub(rf"{SCRATCH_PREFIX}\w+", "scratch", finding.message)


def test_parts_find_what_one_finds(
    project: MakeProject, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = written(project, EASY)
    one = proven(shop, server)
    stood: list[bool] = []
    ask = prove._is_as_in_order

    def asked(*given: Any) -> bool:
        stood.append(ask(*given))
        return stood[-1]

    monkeypatch.setattr(prove, "_is_as_in_order", asked)
    monkeypatch.setattr(prove, "LONG", 4)
    for jobs in (1, 2):
        assert told(proven(shop, server, jobs=jobs)) == told(one)
    assert stood == [True, True]
    outcomes = {each.revision: str(each.outcome) for each in one.checks if each.revision}
    assert outcomes == {
        **dict.fromkeys(("a1", "e5", "g7", "h8"), "passed"),
        **dict.fromkeys(("b2", "d4", "f6"), "failed"),
        "i9": "pending",
    }
    assert [each.revision for each in one.findings if each.rule == "downgrade-leaves-trace"] == [
        "b2",
        "f6",
    ]


@pytest.mark.parametrize(
    "history",
    [HISTORY, FILLS, LATER, REFUSED, LAST_MADE, COPIED],
    ids=["needs", "fills", "later", "refused", "last_made", "copied"],
)
@pytest.mark.backends("sqlite", "postgresql")
def test_parts_that_do_not_stand(
    project: MakeProject,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    history: dict[str, tuple[str, str, str | None]],
) -> None:
    """Rows tell of more than the schema: then the later part is proven in order."""
    shop = written(project, history)
    one = proven(shop, server)
    monkeypatch.setattr(prove, "LONG", 4)
    again = proven(shop, server)
    assert told(again) == told(one)
    assert again.exit_code() == one.exit_code()


@pytest.mark.backends("sqlite")
def test_one_between_the_parts(
    project: MakeProject, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not to be proven, and does not go up, is told of all the same."""
    shop = written(
        project,
        {
            "a1": (makes("base"), drops("base"), None),
            "b2": (makes("two"), drops("two"), "a1"),
            "x3": ('op.execute("DELETE FROM nowhere")', "pass", "b2"),
            "c4": (makes("four"), drops("four"), "x3"),
            "d5": (makes("five"), drops("five"), "c4"),
        },
    )
    whole = shop.load()
    chosen = [whole.revisions.one(each) for each in ("a1", "b2", "c4", "d5")]
    found = []
    for long in (200, 4):
        monkeypatch.setattr(prove, "LONG", long)
        (proof,) = prove.prove(whole, chosen, [text(server)], jobs=2, models=False)
        found.append([(each.rule, each.revision) for each in proof.findings])
        assert [str(each.outcome) for each in proof.checks][-2:] == ["pending", "pending"]
    assert found == [[("upgrade-fails", "x3")]] * 2


@pytest.mark.backends("sqlite")
def test_a_part_that_breaks_lets_nobody_wait(
    project: MakeProject, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = {
        "a1": (makes("base"), drops("base"), None),
        "b2": ("import os; os._exit(7)", "pass", "a1"),
        "c3": (makes("three"), drops("three"), "b2"),
        "d4": (makes("four"), drops("four"), "c3"),
    }
    monkeypatch.setattr(prove, "LONG", 4)
    with pytest.raises(WorkerError, match="code 7"):
        proven(written(project, history), server, jobs=2)


@pytest.mark.backends("postgresql")
def test_type_that_one_run_remembers(
    project: MakeProject, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first part finds out, the second has to know on its way to where it begins."""
    history = {
        "a1": (makes("one", MOOD), drops("one") + '\nop.execute("DROP TYPE mood")', None),
        "b2": (makes("two", MOOD), drops("two"), "a1"),
        "c3": (makes("three"), drops("three"), "b2"),
        "d4": (makes("four") + "\n" + makes("left"), drops("four"), "c3"),
    }
    monkeypatch.setattr(prove, "LONG", 4)
    report = proven(written(project, history), server)
    assert [(each.rule, each.revision) for each in report.findings] == [
        ("stepwise-differs", "b2"),
        ("downgrade-leaves-trace", "d4"),
    ]


@pytest.mark.backends("sqlite")
def test_who_stops_early_goes_in_order(
    project: MakeProject, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove, "LONG", 4)
    shop = written(project, HISTORY)
    order = [each.id for each in shop.load().revisions.all if each.id in ("b2", "d4", "f6")]
    report = proven(shop, server, fail_fast=True)
    assert [each.revision for each in report.findings] == [order[0]]
    report = proven(shop, server, keep=True)
    assert [each["revision"] for each in report.data["kept"]] == [order[0]]


@pytest.mark.backends("sqlite")
def test_parts_of_a_range(
    project: MakeProject, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = written(project, {id_: HISTORY[id_] for id_ in ("a1", "b2", "c3", "e5", "f6", "g7")})
    monkeypatch.setattr(prove, "LONG", 4)
    report: Report = roundtrip(shop.load(), "b2:head", on=[text(server)], models=False)
    assert [each.revision for each in report.checks] == ["c3", "e5", "f6", "g7"]
    assert [each.revision for each in report.findings] == ["f6"]
