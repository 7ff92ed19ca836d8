"""Rows that no conversion is made for: they are kept as they are, or the upgrade stops in time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.revisions.conftest import INI, Place
from tests.revisions.old_topchef import JOBS, SPECTROMETER, OldCode, key, rows
from tests.revisions.test_topchef_revisions import read, through_the_models, without_holes
from topchef_schema import downgrade, upgrade
from topchef_schema.database.models import Job
from topchef_schema.errors import MigrationError
from topchef_schema.model import diff

NUMBER = key(900)
"""The job that is in the way."""


def with_job(place: Place, revision: str, parameters: str, results: str | None = None) -> None:
    """Bring *place* to *revision*, with a job whose documents are stored as these texts."""
    upgrade(place.project, revision)
    old = OldCode(place.backend, revision)
    content = without_holes(rows())
    (name, service), *_ = content["services"].items()
    job = next(iter(content["jobs"].values()))
    with place.connected() as connection:
        old.write(connection, {"services": {name: service}, "job_sets": {}, "jobs": {}})
        old.write(
            connection,
            {
                "services": {},
                "job_sets": {},
                "jobs": {NUMBER: {**job, "service_id": SPECTROMETER, "job_set_id": None}},
            },
        )
        connection.execute(
            JOBS.update().values({JOBS.c.parameters: parameters, JOBS.c.results: results})
        )
        connection.commit()


def documents(place: Place) -> tuple[Any, Any]:
    """Return parameters and results of the job, read with the models."""
    with place.connected() as connection, Session(connection) as session:
        (job,) = session.scalars(select(Job))
        return job.parameters, job.results


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize(
    ("stored", "document"),
    [
        ('{"a": [1, "é"]}', {"a": [1, "é"]}),
        ('"plain"', "plain"),
        ('"[draft] {of a text}"', "[draft] {of a text}"),
        ('"NaN is not a number"', "NaN is not a number"),
        ('""', ""),
        ("12", 12),
        ("null", None),
        ('"null"', None),
        ('"12"', 12),
        ('"{\\"a\\": \\"{}\\"}"', {"a": "{}"}),
    ],
)
def test_documents_that_are_encoded_once_stay(place: Place, stored: str, document: Any) -> None:
    with_job(place, "0004", stored, stored)
    upgrade(place.project)
    assert documents(place) == (document, document)
    downgrade(place.project, "0001", accept_data_loss=True)
    (job,) = read(place, "0001")["jobs"].values()
    assert (job["parameters"], job["results"]) == (document, document)


@pytest.mark.backends("postgresql")
def test_nothing_and_the_document_null_are_two_things(place: Place) -> None:
    with_job(place, "0004", '"{}"', "null")
    upgrade(place.project)
    with place.connected() as connection:
        assert connection.execute(text("SELECT results IS NULL FROM jobs")).scalar_one() is True
        connection.execute(text("UPDATE jobs SET results = 'null'"))
        connection.commit()
    downgrade(place.project, "0004", accept_data_loss=True)
    upgrade(place.project)
    with place.connected() as connection:
        assert connection.execute(text("SELECT results IS NULL FROM jobs")).scalar_one() is False


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize(
    ("document", "said"),
    [
        ('{"a": NaN}', 'JSON has no NaN and no Infinity: {"a": NaN}'),
        ("-Infinity", "JSON has no NaN and no Infinity: -Infinity"),
        ('{"a": "\\u0000"}', "unsupported Unicode escape sequence"),
        ('{"a": "\\ud83d"}', "invalid input syntax for type json"),
    ],
)
def test_postgresql_refuses_what_it_cannot_hold(place: Place, document: str, said: str) -> None:
    with_job(place, "0004", json.dumps(document))
    before = place.snapshot()
    with pytest.raises(MigrationError) as caught:
        upgrade(place.project)
    assert said in str(caught.value)
    assert caught.value.exit_code == 5
    assert diff(place.snapshot(), before).changes == ()
    with place.connected() as connection:
        stored = connection.execute(text("SELECT parameters #>> '{}' FROM jobs")).scalar_one()
        assert stored == document
        connection.execute(text("UPDATE jobs SET parameters = '{}'"))
        connection.commit()
    upgrade(place.project)
    assert documents(place) == ({}, None)


@pytest.mark.backends("mariadb", "mysql")
def test_upgrade_goes_on_after_a_broken_document_is_corrected(
    place: Place, other_place: Place
) -> None:
    with_job(place, "0004", '{"a": NaN}')
    with pytest.raises(MigrationError) as caught:
        upgrade(place.project)
    assert "parameters" in str(caught.value)
    assert caught.value.exit_code == 6
    with place.connected() as connection:
        assert connection.execute(select(JOBS.c.parameters)).scalar_one() == '{"a": NaN}'
        connection.execute(JOBS.update().values(parameters='{"a": null}'))
        connection.commit()
    upgrade(place.project)
    upgrade(other_place.project)
    assert diff(place.snapshot(), other_place.snapshot()).changes == ()
    assert documents(place) == ({"a": None}, None)


@pytest.mark.backends("sqlite", "mariadb")
@pytest.mark.parametrize(
    ("stored", "spelled"),
    [
        ('{"b": 1.50, "a": [ "\\u00e9", -0.0 ]}', '{"a":["é",0.0],"b":1.5}'),
        ("1e16", "10000000000000000.0"),
        ('"\\u0000"', '"\\u0000"'),
    ],
)
def test_documents_get_the_spelling_of_the_models(place: Place, stored: str, spelled: str) -> None:
    with_job(place, "0009", stored, stored)
    upgrade(place.project)
    with place.connected() as connection:
        found = connection.execute(select(JOBS.c.parameters, JOBS.c.results)).one()
    assert tuple(found) == (spelled, spelled)


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("stored", ['{"a": NaN}', "1e999", '"\\ud83d"', "nothing"])
def test_what_the_models_refuse_stays_as_it_is_on_sqlite(place: Place, stored: str) -> None:
    with_job(place, "0009", stored)
    upgrade(place.project)
    with place.connected() as connection:
        assert connection.execute(select(JOBS.c.parameters)).scalar_one() == stored


@pytest.mark.backends("mariadb")
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("job_id", ["0123456789ab9def0123456789abcdef", "nothing of that kind"])
def test_key_that_mariadb_refuses_stops_the_upgrade_before_it_begins(
    place: Place, job_id: str, *, strict: bool
) -> None:
    with_job(place, "0005", "{}")
    with place.connected() as connection:
        connection.execute(JOBS.update().values(job_id=job_id))
        connection.commit()
    before = place.snapshot()
    mode = "STRICT_ALL_TABLES" if strict else "NO_ENGINE_SUBSTITUTION"
    there = place.through(place.url.update_query_dict({"sql_mode": mode}))
    with pytest.raises(MigrationError, match=f"Incorrect uuid value: '{job_id}'") as caught:
        upgrade(there.project)
    assert caught.value.exit_code == 5
    assert diff(place.snapshot(), before).changes == ()


@pytest.mark.backends("mariadb")
def test_mysql_url_to_mariadb_makes_what_mariadb_has(place: Place, other_place: Place) -> None:
    content = rows()
    there = place.through(place.url.set(drivername="mysql+pymysql"))
    upgrade(there.project, "0001")
    with place.connected() as connection:
        OldCode("mariadb").write(connection, content)
    upgrade(there.project)
    upgrade(other_place.project)
    assert diff(place.snapshot(), other_place.snapshot()).changes == ()
    assert through_the_models(place) == without_holes(content)
    assert through_the_models(there) == content
    downgrade(there.project, "0001", accept_data_loss=True)
    assert read(place, "0001") == content


@pytest.mark.backends("mysql")
def test_mysql_that_never_had_checks_is_adopted(place: Place, other_place: Place) -> None:
    upgrade(place.project, "0001")
    with place.connected() as connection:
        connection.exec_driver_sql("ALTER TABLE services DROP CHECK services_chk_1")
    upgrade(place.project)
    upgrade(other_place.project)
    assert diff(place.snapshot(), other_place.snapshot()).changes == ()


@pytest.mark.fact(15)
@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(("at", "to"), [("0001", "head"), ("0005", "head"), ("head", "base")])
def test_sqlite_that_enforces_foreign_keys_loses_no_job(place: Place, at: str, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    content = rows()
    upgrade(place.project, "0001")
    with place.connected() as connection:
        OldCode("sqlite").write(connection, content)
    upgrade(place.project, at)
    config = Config(str(INI))
    with place.connected() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        connection.commit()
        config.attributes["connection"] = connection
        if at == "0005":
            command.upgrade(config, to)
        else:
            with pytest.raises(IntegrityError):
                (command.upgrade if to == "head" else command.downgrade)(config, to)
    assert len(read(place, "0001")["jobs"]) == len(content["jobs"])
