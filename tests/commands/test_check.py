"""The gate holds what the commands it is made of hold, and the heads."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.whole_projects import MakeProject, revision
from topchef_schema import check

MODELS = """\
import sqlalchemy as sa

metadata = sa.MetaData()
sa.Table("base", metadata, sa.Column("id", sa.Integer, primary_key=True){column})
"""
BASE = revision(
    "a1",
    'op.create_table("base", sa.Column("id", sa.Integer, primary_key=True))',
    'op.drop_table("base")',
)


def test_everything_is_well(project: MakeProject) -> None:
    shop = project(versions={"a.py": BASE}, settings="metadata = base_models:metadata")
    shop.write("base_models.py", MODELS.format(column=""))
    report = check(shop.load(), on=["sqlite"])
    assert (report.findings, report.exit_code()) == ((), 0)
    assert {(each.name, str(each.outcome)) for each in report.checks} == {
        ("one head", "passed"),
        ("a revision", "passed"),
        ("models and revisions agree", "passed"),
    }
    assert report.data["heads"] == report.data["revisions"] == ["a1"]


def test_models_are_compared_where_no_revision_was_added(project: MakeProject) -> None:
    shop = project(versions={"a.py": BASE}, settings="metadata = base_models:metadata")
    shop.write("base_models.py", MODELS.format(column=', sa.Column("x", sa.Integer)'))
    for each in ["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(shop.root), *identity, *each], check=True)
    report = check(shop.load(), on=["sqlite"], since="HEAD")
    assert report.data["revisions"] == []
    assert [(each.rule, each.object) for each in report.findings] == [
        ("models-differ", "column base.x")
    ]


@pytest.mark.parametrize(("allowed", "code"), [("1", 10), ("2", 0)])
def test_heads(project: MakeProject, allowed: str, code: int) -> None:
    shop = project("branched")
    done = shop.call("check", "--on", "sqlite", "--heads", allowed, "--format", "json")
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"] == code
    assert [each["rule"] for each in report["findings"]] == ["several-heads"] * (code == 10)
    assert report["data"]["heads"] == ["b2b2", "c1c1"]
    assert len([each for each in report["checks"] if each["revision"]]) == 4
