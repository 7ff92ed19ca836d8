"""TopChef's revisions on real servers: from the tables of 0.2 to the models and back, with rows."""

from __future__ import annotations

import ast
import copy
import os
import subprocess
import sys
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.revisions.conftest import INI, Place
from tests.revisions.old_topchef import MONDAY, OldCode, Rows, create_tables, rows
from topchef_schema import downgrade, roundtrip, stamp, upgrade
from topchef_schema.database.models import Job, JobSet, Service
from topchef_schema.database.schemas.database_schema import metadata
from topchef_schema.model import Outcome, Snapshot, diff
from topchef_schema.project import Project
from topchef_schema.stages import compare

if TYPE_CHECKING:
    from topchef_schema.backends.base import Server

REVISIONS = tuple(each.id for each in Project.load(INI).revisions.all)
FILES = sorted((INI.parent / "alembic" / "versions").glob("*.py"))
HEAD = REVISIONS[-1]


def filled(place: Place, revision: str = "0001") -> Rows:
    """Bring *place* to *revision* and fill it as the old code did; return what is there."""
    content = rows()
    upgrade(place.project, revision)
    if revision > "0003":
        without_holes(content)
    with place.connected() as connection:
        OldCode(place.backend, revision).write(connection, content)
    return content


def read(place: Place, revision: str) -> Rows:
    with place.connected() as connection:
        return OldCode(place.backend, revision).read(connection)


def without_holes(content: Rows) -> Rows:
    """Give the jobs that have no status the one that revision 0004 gives them."""
    for job in content["jobs"].values():
        job["status"] = job["status"] or "REGISTERED"
    return content


def through_the_models(place: Place) -> Rows:
    """Read everything with the models, in the form of `rows`."""
    content: Rows = {}
    with place.connected() as connection, Session(connection) as session:
        for model in (Service, JobSet, Job):
            table = model.__table__
            content[str(table.name)] = found = {}
            for each in session.scalars(select(model)):
                row = {name: getattr(each, name) for name in table.columns.keys()}  # noqa: SIM118
                for name, value in row.items():
                    if name in ("last_checked_in", "date_submitted"):
                        assert value.tzinfo is UTC
                        row[name] = value.replace(tzinfo=None)
                    if name == "status":
                        row[name] = value.value
                found[row.pop(each._key_name())] = row
    return content


def test_first_revision_is_what_old_deployments_have(place: Place, other_place: Place) -> None:
    with place.connected() as connection:
        create_tables(connection, place.backend)
    upgrade(other_place.project, "0001")
    assert diff(place.snapshot(), other_place.snapshot()).changes == ()


def test_database_in_use_is_adopted(place: Place, other_place: Place) -> None:
    content = rows()
    with place.connected() as connection:
        create_tables(connection, place.backend)
        OldCode(place.backend).write(connection, content)
    before = place.snapshot()

    stamp(place.project, "0001")
    upgrade(place.project)
    with other_place.connected() as connection:
        metadata.create_all(connection)
        connection.commit()
    without_holes(content)
    assert diff(place.snapshot(), other_place.snapshot()).changes == ()
    assert through_the_models(place) == content

    downgrade(place.project, "0001", accept_data_loss=True)
    assert diff(place.snapshot(), before).changes == ()
    assert read(place, "0001") == content


def test_rows_survive_every_revision(place: Place) -> None:
    empty = place.snapshot()
    content = filled(place)
    assert read(place, "0001") == content
    for before, revision in pairwise(REVISIONS):
        upgrade(place.project, revision)
        if revision == "0004":
            without_holes(content)
        assert read(place, revision) == content, f"{revision} up"
        downgrade(place.project, before, accept_data_loss=True)
        assert read(place, before) == content, f"{revision} down"
        upgrade(place.project, revision)
        assert read(place, revision) == content, f"{revision} up again"
    assert through_the_models(place) == content

    downgrade(place.project, "base", accept_data_loss=True)
    assert diff(place.snapshot(), empty).changes == ()


def test_what_the_models_write_comes_back(place: Place) -> None:
    content = filled(place)
    upgrade(place.project)
    with place.connected() as connection, Session(connection) as session:
        service = session.scalars(select(Service)).first()
        assert service is not None
        job = Job.new(service, {"späť": [1, {"a": None}]})
        job.date_submitted = job.date_submitted.replace(microsecond=0)
        undone = Job.new(service, None)
        undone.date_submitted = job.date_submitted
        session.add_all([job, undone])
        for each in (job, undone):
            content["jobs"][each.id] = {
                "service_id": service.id,
                "date_submitted": each.date_submitted.replace(tzinfo=None),
                "status": "REGISTERED",
                "parameters": copy.deepcopy(each.parameters),
                "results": None,
                "job_set_id": None,
            }
        session.commit()
    without_holes(content)
    downgrade(place.project, "0001", accept_data_loss=True)
    assert read(place, "0001") == content
    upgrade(place.project)
    assert through_the_models(place) == content


def test_old_documents_are_found_by_the_models(place: Place) -> None:
    filled(place)
    upgrade(place.project)
    with place.connected() as connection, Session(connection) as session:

        def found(*conditions: Any) -> list[Any]:
            return [job.parameters for job in session.scalars(select(Job).where(*conditions))]

        assert len(found(Job.parameters["name"] == "Café")) == 1
        assert len(found(Job.parameters["list"] == [1, 2.5, None, True, [[]]])) == 1
        assert found(Job.parameters == '{"looks": "like JSON"}') == ['{"looks": "like JSON"}']
        assert found(Job.parameters == {}) == [{}]
        monday = session.get_one(JobSet, MONDAY)
        assert len(monday.jobs) == 7
        session.delete(monday)
        session.delete(monday.jobs[0].service)
        session.commit()
        assert {job.job_set_id for job in session.scalars(select(Job))} == {None}


def test_models_and_revisions_agree(server: Server) -> None:
    url = server.url.render_as_string(hide_password=False)
    (lack,) = compare.lacking(Project.load(INI), [url]).values()
    assert lack.operations.upgrades == ()
    assert lack.changes == ()


def test_round_trip_is_clean(server: Server) -> None:
    url = server.url.render_as_string(hide_password=False)
    report = roundtrip(Project.load(INI), on=[url])
    # What 0010 says to spell otherwise, and no more; there is nothing to bring back.
    said = {(each.rule, each.revision) for each in report.findings}
    assert said <= {("data-changed", "0010"), ("empty-downgrade", "0010")}
    assert {check.outcome for check in report.checks} == {Outcome.PASSED}
    assert len(report.checks) == len(REVISIONS) + 3  # one run, the way down, the models


@pytest.mark.backends("sqlite", "postgresql")
def test_plain_alembic_does_the_same(place: Place, other_place: Place) -> None:
    def alembic(*words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "alembic", "-c", str(INI), *words],
            env={**os.environ, "TOPCHEF_DATABASE_URL": place.text},
            check=True,
            capture_output=True,
        )

    alembic("upgrade", "0001")
    with place.connected() as connection:
        OldCode(place.backend).write(connection, rows())
    alembic("upgrade", "head")
    upgrade(other_place.project)
    assert diff(place.snapshot(), other_place.snapshot()).changes == ()
    assert through_the_models(place) == without_holes(rows())
    alembic("check")
    alembic("downgrade", "base")
    assert place.snapshot() == Snapshot({})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_revision_depends_on_nothing_of_ours(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            top = module.partition(".")[0]
            assert top in sys.stdlib_module_names | {"sqlalchemy", "alembic"}, module


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_was_written_by_hand_is_marked(file: Path) -> None:
    open_since = None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip().startswith("# --- by hand: "):
            assert line.endswith(" ---")
            open_since = number
        elif line.strip() == "# --- end ---":
            assert open_since is not None, f"nothing ends on line {number}"
            open_since = None
        elif "op.execute(" in line:
            assert open_since is not None, f"line {number} was not generated"
    assert open_since is None
