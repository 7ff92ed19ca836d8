"""Types that are kept beside tables come and go with what needs them, in a generated revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.whole_projects import MakeProject, Whole, text
from topchef_schema import revision as generate
from topchef_schema import roundtrip, sql
from topchef_schema.model import Outcome, Severity

if TYPE_CHECKING:
    from tests.servers import Servers

MODELS = """\
import sqlalchemy as sa

metadata = sa.MetaData()
KIND = sa.Enum("herb", "tree", name="kind")
"""
PLANTS = 'sa.Table("plants", metadata, sa.Column("id", sa.Integer, primary_key=True){})\n'
BEDS = 'sa.Table("beds", metadata, sa.Column("id", sa.Integer), sa.Column("kind", KIND))\n'
A_KIND = ', sa.Column("kind", KIND, nullable=False, server_default="herb")'
ON = ("sqlite", "postgresql")


@pytest.fixture
def garden(project: MakeProject) -> Whole:
    return project(settings="metadata = plant_models:metadata")


def next_revision(garden: Whole, servers: Servers, name: str, *tables: str) -> str:
    """Generate the revision towards these models, and return the file's text."""
    garden.write("plant_models.py", MODELS + "".join(tables))
    report = generate(garden.load(), name, on=[text(servers[each]) for each in ON], rev_id=name)
    assert len(report.data["revisions"]) == 1
    return next(garden.versions.glob(f"{name}_*.py")).read_text(encoding="utf-8")


def require_clean(garden: Whole, servers: Servers) -> None:
    proof = roundtrip(garden.load(), on=[text(servers[each]) for each in ON])
    # What an upgrade says to drop is told, and no more.
    assert {each.severity for each in proof.findings} <= {Severity.INFO}
    assert {check.outcome for check in proof.checks} == {Outcome.PASSED}


def script(garden: Whole, range_: str, *, down: bool = False) -> str:
    report = sql(garden.load(), range_, on=["postgresql"], down=down)
    assert report.findings == ()
    return str(report.script)


def test_type_lives_as_long_as_something_has_it(garden: Whole, servers: Servers) -> None:
    plain, kinds = PLANTS.format(""), PLANTS.format(A_KIND)

    first = next_revision(garden, servers, "a1", kinds)
    assert ".create(" not in first
    assert first.count(".drop(") == 1
    assert "DROP TYPE kind" in script(garden, "a1", down=True)

    without = next_revision(garden, servers, "b2", plain)
    assert without.index("drop_column") < without.index(".drop(") < without.index(".create(")

    again = next_revision(garden, servers, "c3", kinds)
    assert again.index(".create(") < again.index("add_column") < again.index(".drop(")
    assert "CREATE TYPE kind AS ENUM ('herb', 'tree')" in script(garden, "b2:c3")

    last = next_revision(garden, servers, "d4", plain)
    assert ".create(" in last
    require_clean(garden, servers)


def test_type_that_something_else_has_stays(garden: Whole, servers: Servers) -> None:
    next_revision(garden, servers, "a1", BEDS, PLANTS.format(""))
    more = next_revision(garden, servers, "b2", BEDS, PLANTS.format(A_KIND))
    assert ".drop(" not in more
    assert ".create(" not in more
    require_clean(garden, servers)
