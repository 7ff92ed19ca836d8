"""The corpus of leaks: each is found, named exactly, and nothing else; its clean twin is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from tests.projects.leaks.corpus import FAMILIES, leaks
from tests.projects.leaks.leak import ALL, TRACE, Leak
from tests.whole_projects import MakeProject, revision, text
from topchef_schema import roundtrip

if TYPE_CHECKING:
    from tests.golden_files import Golden
    from topchef_schema.backends.base import Server
    from topchef_schema.model import Finding


def history(family: Sequence[Leak]) -> dict[str, str]:
    """Return the revisions: what was before, the clean twins, these turned round, and the leaks.

    All are of tables of their own, and in one revision, because each revision that is not clean
    costs a new database.
    """
    before, up, clean, leak = (body(family, part) for part in ("before", "up", "clean", "leak"))
    return {
        "ground.py": revision("ground", before),
        "twins.py": revision("twins", up, clean, down="ground"),
        "turned.py": revision("turned", clean, up, down="twins"),
        "leaking.py": revision("leaking", up, leak, down="turned"),
    }


def body(family: Sequence[Leak], part: str) -> str:
    return "\n".join(line for each in family for line in each.body(part)) or "pass"


@pytest.mark.sampled
@pytest.mark.parametrize("family", [each for each in FAMILIES if each != "administered"])
def test_each_leak_is_found_and_no_other(
    family: str, project: MakeProject, server: Server, backend_name: str, golden: Golden
) -> None:
    proven(project, family, backend_name, text(server), golden)


@pytest.mark.sampled
@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_each_leak_of_an_administrator_is_found(
    project: MakeProject, backend_name: str, golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a throwaway server, where revisions may name roles."""
    monkeypatch.delenv(f"TOPCHEF_{backend_name.upper()}_SERVER", raising=False)
    proven(project, "administered", backend_name, backend_name, golden)


def proven(project: MakeProject, family: str, backend: str, on: str, golden: Golden) -> None:
    expected = leaks(family, backend)
    whole = project(versions=history(expected))
    report = roundtrip(whole.load(), "ground:leaking", on=[on])
    # What tightens a column, or makes a key, fails on some rows: a warning, and true.
    told = [each for each in report.findings if each.rule == TRACE or str(each.severity) == "error"]

    assert "\n".join(written(each) for each in told if each.revision != "leaking") == ""
    leaking = [each for each in told if each.revision == "leaking"]
    assert sorted(map(summary, leaking)) == sorted(
        (each.rule, each.severity, each.named(each.object)) for each in expected
    )
    golden(golden_name(family, backend), "\n".join(map(written, leaking)))


def summary(finding: Finding) -> tuple[str, str, str]:
    return finding.rule, str(finding.severity), str(finding.object).replace("public.", "")


def written(finding: Finding) -> str:
    """Return what a finding says, for a golden file."""
    lines = [f"{finding.rule} · {finding.revision} · {finding.object}: {finding.message}"]
    for word, value in (("before", finding.before), ("after", finding.after)):
        shown = "missing" if value is None else value.replace("\n", "\n    ")
        lines.append(f"  {word}: {shown}")
    return "\n".join(lines) + "\n"


def golden_name(family: str, backend: str) -> str:
    return f"leaks/{backend}-{family}.txt"


def test_every_backend_has_enough_of_them_and_what_each_says_is_kept(golden: Golden) -> None:
    for name in ALL:
        numbers = {family: len(leaks(family, name)) for family in FAMILIES}
        assert sum(numbers.values()) >= 50, numbers
        for family, number in numbers.items():
            if number:
                golden.keep(golden_name(family, name))


def test_a_history_that_is_clean_gives_no_error(project: MakeProject, server: Server) -> None:
    """Data migrations, widenings, columns that go, batches, new values of an enum, branches."""
    report = roundtrip(project("calm").load(), on=[text(server)])
    assert "\n".join(written(each) for each in report.findings if each.severity == "error") == ""
    single = [str(check.outcome) for check in report.checks if check.revision]
    assert single == ["passed"] * 14


STATUS = """\
op.create_table(
    "accounts",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("status", sa.String(10), nullable=False, server_default="new"),
    sa.CheckConstraint("status IN ('new', 'paid')", name="ck_accounts_status"),
)
op.create_index(
    "ix_open", "accounts", ["id"], postgresql_where=sa.text("status NOT IN ('paid', 'gone')")
)"""


@pytest.mark.backends("postgresql")
def test_what_the_server_only_spells_otherwise_is_no_leak(
    project: MakeProject, server: Server
) -> None:
    """A column gets another type and back: checks and indexes are written anew by the server."""
    altered = 'op.alter_column("accounts", "status", type_={})'.format
    versions = {
        "a.py": revision("a1", STATUS, 'op.drop_table("accounts")'),
        "b.py": revision("b2", altered("sa.String(20)"), altered("sa.String(10)"), down="a1"),
        "c.py": revision("c3", altered("sa.Text()"), altered("sa.String(20)"), down="b2"),
    }
    found = roundtrip(project(versions=versions).load(), on=[text(server)]).findings
    assert "\n".join(map(written, found)) == ""
