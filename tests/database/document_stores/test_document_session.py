"""Saving, loading and deleting keep rows and documents in step, and repair nothing on the way."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from sqlalchemy.orm import sessionmaker

from tests.database.document_stores.kitchen import SCHEMA, Kitchen, changed
from tests.database.documents import shallow
from topchef_schema.database.documents import (
    Disagree,
    DocumentDifferentError,
    DocumentDisagreementError,
    DocumentExtraError,
    DocumentMissingError,
    DocumentSession,
    SQLDocumentStores,
    document_session,
)
from topchef_schema.database.json_type import JSON
from topchef_schema.database.models import Job, JobSet, Service
from topchef_schema.database.schemas import JobStatus
from topchef_schema.errors import UnreachableError


def make_oven(**values: Any) -> Service:
    return Service.new("oven", job_registration_schema=SCHEMA, **values)


def test_what_is_saved_has_its_documents(kitchen: Kitchen) -> None:
    oven = make_oven()
    job = Job.new(oven, {"degrees": 200}, job_set=JobSet.new("dinner"))
    kitchen.save(oven)
    assert kitchen.services().get(oven.id) == {
        "job_registration_schema": SCHEMA,
        "job_result_schema": {"type": "object"},
    }
    assert kitchen.jobs().get(job.id) == {"parameters": {"degrees": 200}, "results": None}
    assert kitchen.wrong() == []


def test_what_is_changed_is_put(kitchen: Kitchen) -> None:
    oven = make_oven()
    job = Job.new(oven, {})
    kitchen.save(oven)
    with kitchen.session() as session:
        again = session.get_one(Job, job.id)
        again.results, again.status = ["cake"], JobStatus.COMPLETED
        session.flush()
        again.results = ["cake", 1.0]
        session.commit()
        assert kitchen.jobs().get(job.id)["results"] == ["cake", 1.0]
        again.results = JSON.NULL
        session.commit()
        assert kitchen.jobs().get(job.id)["results"] is None
        again.parameters = sa.select(Service.job_result_schema).scalar_subquery()
        session.commit()
    assert kitchen.jobs().get(job.id)["parameters"] == {"type": "object"}
    assert kitchen.wrong() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(parameters=shallow, results=shallow)
def test_every_document_is_kept_in_step(kitchen: Kitchen, parameters: Any, results: Any) -> None:
    oven = make_oven()
    job = Job.new(oven, parameters)
    kitchen.save(oven)
    with kitchen.session() as session:
        again = Job.load(session, job.id)
        assert again is not None
        again.results = results
        session.commit()
        assert Job.load(session, job.id) == job
    assert kitchen.wrong() == []


def test_what_has_no_document_is_left_alone(kitchen: Kitchen) -> None:
    oven = make_oven()
    kitchen.save(oven)
    kitchen.services().put(oven.id, "changed by somebody")
    with kitchen.session() as session:
        again = session.get_one(Service, oven.id)
        again.check_in()
        session.add(JobSet.new("dinner"))
        session.commit()
    assert kitchen.services().get(oven.id) == "changed by somebody"
    with pytest.raises(TypeError, match="a JobSet has no documents"):
        JobSet.resource()


def test_a_service_takes_the_documents_of_its_jobs_along(kitchen: Kitchen) -> None:
    oven, fridge = make_oven(), Service.new("fridge")
    Job.new(oven, {})
    orphan = Job.new(fridge, {})
    kept = Job.new(fridge, {})
    kitchen.save(oven, fridge)
    with kitchen.session() as session:
        session.delete(session.get_one(Service, oven.id))
        again = session.get_one(Service, fridge.id)
        again.jobs.remove(session.get_one(Job, orphan.id))
        assert len([*kitchen.services().keys(), *kitchen.jobs().keys()]) == 5
        session.commit()
    assert list(kitchen.services().keys()) == [fridge.id]
    assert list(kitchen.jobs().keys()) == [kept.id]
    assert kitchen.wrong() == []


def test_a_deleted_row_may_come_back_in_the_same_transaction(kitchen: Kitchen) -> None:
    oven = make_oven()
    kitchen.save(oven)
    with kitchen.session() as session:
        session.delete(session.get_one(Service, oven.id))
        session.flush()
        session.add(Service(service_id=oven.id, name="stove"))
        session.commit()
    assert kitchen.services().get(oven.id)["job_registration_schema"] == {"type": "object"}
    assert kitchen.wrong() == []


def test_what_is_rolled_back_before_the_commit_never_reaches_the_store(kitchen: Kitchen) -> None:
    oven = make_oven()
    kitchen.save(oven)
    with kitchen.session() as session:
        changed(session.get_one(Service, oven.id))
        session.add(make_oven())
        session.flush()
        session.rollback()
        session.delete(session.get_one(Service, oven.id))
        session.flush()
    assert list(kitchen.services().keys()) == [oven.id]
    assert kitchen.wrong() == []


def test_savepoints(kitchen: Kitchen) -> None:
    oven, fridge = make_oven(), Service.new("fridge")
    kitchen.save(oven, fridge)
    with kitchen.session() as session:
        with session.begin_nested() as nested:
            changed(session.get_one(Service, oven.id))
            session.delete(session.get_one(Service, fridge.id))
            session.add(make_oven())
            session.flush()
            nested.rollback()
        with session.begin_nested():
            kept = make_oven()
            session.add(kept)
        session.commit()
    assert {*kitchen.services().keys()} == {oven.id, fridge.id, kept.id}
    assert kitchen.wrong() == []


def test_the_context_of_a_transaction_commits_documents_too(kitchen: Kitchen) -> None:
    key = uuid.uuid4()
    maker = sessionmaker(kitchen.engine, class_=DocumentSession, documents=kitchen.stores)
    with maker.begin() as session:
        session.add(Service(service_id=key, name="oven"))
    assert list(kitchen.services().keys()) == [key]
    with maker() as session, session.begin():
        session.delete(session.get_one(Service, key))
    assert list(kitchen.services().keys()) == []


def refuse_commits(connection: sa.Connection) -> None:
    raise ConnectionError("the server is gone")


def test_a_commit_that_fails_is_told_and_can_be_seen(
    kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    oven = make_oven()
    kitchen.save(oven)
    sa.event.listen(kitchen.engine, "commit", refuse_commits)
    try:
        with kitchen.session() as session:
            fridge = Service.new("fridge")
            session.add(fridge)
            changed(session.get_one(Service, oven.id))
            with caplog.at_level(logging.WARNING), pytest.raises(ConnectionError):
                session.commit()
            session.rollback()
    finally:
        sa.event.remove(kitchen.engine, "commit", refuse_commits)
    assert f"services {oven.id}" in caplog.text
    assert f"services {fridge.id}" in caplog.text
    assert {(each.kind, each.key) for each in kitchen.wrong()} == {
        (Disagree.DIFFERENT, oven.id),
        (Disagree.EXTRA, fridge.id),
    }


def test_saving_repairs_nothing_silently(kitchen: Kitchen) -> None:
    oven = make_oven()
    kitchen.save(oven)
    before = kitchen.services().get(oven.id)
    for document, error in (
        ({**before, "job_result_schema": {"type": "array"}}, DocumentDifferentError),
        (None, DocumentMissingError),
    ):
        kitchen.services().delete(oven.id)
        if document is not None:
            kitchen.services().put(oven.id, document)
        with kitchen.session() as session:
            changed(session.get_one(Service, oven.id))
            with pytest.raises(error) as caught:
                session.commit()
            session.rollback()
        assert caught.value.key == oven.id
        assert dict(kitchen.services().get_many([oven.id])) == (
            {} if document is None else {oven.id: document}
        )
    with kitchen.session() as session:
        assert session.get_one(Service, oven.id).job_registration_schema == SCHEMA


def test_a_new_row_does_not_take_over_a_document(kitchen: Kitchen) -> None:
    oven = make_oven()
    kitchen.services().put(oven.id, "left by somebody")
    with kitchen.session() as session:
        session.add(oven)
        with pytest.raises(DocumentExtraError, match="and no row"):
            session.commit()
        session.rollback()
    assert kitchen.services().get(oven.id) == "left by somebody"


def test_loading_tells_what_disagrees_and_where(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_session, "SECONDS_BETWEEN_LOOKS", 0.01)
    oven = make_oven()
    kitchen.save(oven)
    other = {**SCHEMA, "properties": {"name": {"type": "integer"}, "age": {}}}
    whole = {"job_registration_schema": other, "job_result_schema": {"type": "object"}}
    with kitchen.session() as session:
        assert Service.load(session, str(oven.id)) == oven
        assert Service.load(session, uuid.uuid4()) is None
        kitchen.services().put(oven.id, whole)
        with pytest.raises(DocumentDifferentError) as different:
            Service.load(session, oven.id)
        kitchen.services().delete(oven.id)
        with pytest.raises(DocumentMissingError) as missing:
            Service.load(session, oven.id)
        stranger = uuid.uuid4()
        kitchen.services().put(stranger, whole)
        with pytest.raises(DocumentExtraError) as extra:
            Service.load(session, stranger)
    assert [(each.path, each.row, each.document) for each in different.value.disagreements] == [
        ("$.job_registration_schema.properties.age", None, "{}"),
        ("$.job_registration_schema.properties.name.type", '"string"', '"integer"'),
    ]
    for error, key in ((different, oven.id), (missing, oven.id), (extra, stranger)):
        assert isinstance(error.value, DocumentDisagreementError)
        assert error.value.resource == "services"
        assert error.value.key == key
        assert error.value.store == kitchen.services().label
        assert f"services {key}" in str(error.value)
        assert kitchen.services().label in str(error.value)
    assert "$.job_registration_schema.properties.age" in str(different.value)
    assert "$.job_registration_schema.properties.name.type" in str(different.value)
    assert (missing.value.path, missing.value.kind) == ("$", Disagree.MISSING)


def test_what_this_transaction_has_changed_can_be_loaded(kitchen: Kitchen) -> None:
    oven = make_oven()
    kitchen.save(oven)
    with kitchen.session() as session:
        changed(session.get_one(Service, oven.id))
        assert Service.load(session, oven.id) == oven
        session.flush()
        assert Service.load(session, oven.id) == oven


def test_loading_waits_for_who_is_between_the_two_writes(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another session has put the document, and commits while it is looked for again."""
    monkeypatch.setattr(document_session, "SECONDS_BETWEEN_LOOKS", 1)
    oven = make_oven()
    kitchen.save(oven)
    put = threading.Event()

    def slow_commit(connection: sa.Connection) -> None:
        put.set()
        time.sleep(0.15)

    def save() -> None:
        with kitchen.session() as session:
            changed(session.get_one(Service, oven.id))
            sa.event.listen(kitchen.engine, "commit", slow_commit)
            session.commit()
            sa.event.remove(kitchen.engine, "commit", slow_commit)

    with kitchen.session() as session:
        thread = threading.Thread(target=save)
        thread.start()
        assert put.wait(timeout=30)
        loaded = Service.load(session, oven.id)
        thread.join()
    assert loaded == oven
    assert kitchen.wrong() == []


def test_a_snapshot_from_before_a_save_is_no_disagreement(kitchen: Kitchen) -> None:
    oven = make_oven()
    kitchen.save(oven)
    with kitchen.session() as early, kitchen.session() as late:
        early.scalars(sa.select(Service)).all()
        changed(late.get_one(Service, oven.id))
        late.commit()
        assert Service.load(early, oven.id) == oven


def test_saves_at_the_same_time_end_in_agreement(kitchen: Kitchen) -> None:
    ovens = [make_oven() for _ in range(3)]
    kitchen.save(*ovens)
    failed: list[BaseException] = []
    start = threading.Barrier(4)

    def save(number: int) -> None:
        try:
            start.wait(timeout=30)
            for turn in range(8):
                with kitchen.session() as session:
                    oven = session.get_one(Service, ovens[turn % 3].id)
                    oven.job_registration_schema = {"by": number, "turn": turn}
                    session.add_all(Job.new(oven, {"by": number}) for _ in range(3))
                    session.commit()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
    assert kitchen.wrong() == []
    assert len(list(kitchen.jobs().keys())) == 3 * 32


def test_what_goes_around_the_objects_is_seen_afterwards(kitchen: Kitchen) -> None:
    oven = make_oven()
    job = Job.new(oven, {})
    kitchen.save(oven)
    with kitchen.session() as session:
        session.execute(sa.update(Service).values(job_result_schema={"type": "array"}))
        session.execute(sa.delete(Job))
        session.commit()
    assert [(each.kind, each.key, each.path) for each in kitchen.wrong()] == [
        (Disagree.DIFFERENT, oven.id, "$.job_result_schema.type"),
        (Disagree.EXTRA, job.id, "$"),
    ]


def test_many_at_once(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_session, "BATCH", 4)
    oven = make_oven()
    jobs = [Job.new(oven, {"n": number}) for number in range(11)]
    kitchen.save(oven)
    with kitchen.session() as session:
        for job in session.scalars(sa.select(Job)):
            job.results = job.parameters
        session.delete(session.get_one(Job, jobs[0].id))
        session.commit()
    assert len(list(kitchen.jobs().keys())) == 10
    assert kitchen.wrong() == []


def test_a_store_that_is_gone_stops_the_save(
    kitchen: Kitchen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    oven = make_oven()
    with DocumentSession(kitchen.engine, documents=SQLDocumentStores(engine)) as session:
        session.add(oven)
        with pytest.raises(UnreachableError, match="the document store cannot be used"):
            session.commit()
        session.rollback()
        assert session.get(Service, oven.id) is None
    engine.dispose()


def test_a_store_that_is_gone_after_the_commit_is_told(kitchen: Kitchen, tmp_path: Path) -> None:
    stores = SQLDocumentStores(sa.create_engine(f"sqlite:///{tmp_path / 'documents.db'}"))
    stores.create()
    oven = make_oven()
    with DocumentSession(kitchen.engine, documents=stores, expire_on_commit=False) as session:
        session.add(oven)
        session.commit()
        session.delete(oven)
        session.flush()
        (tmp_path / "documents.db").rename(tmp_path / "moved.db")
        with pytest.raises(UnreachableError, match="the document store cannot be used"):
            session.commit()
        assert session.get(Service, oven.id) is None
        (tmp_path / "moved.db").rename(tmp_path / "documents.db")
        session.add(Service.new("fridge"))
        session.commit()
    assert oven.id in set(stores["services"].keys())
    assert len(list(stores["services"].keys())) == 2
    stores.close()


@pytest.mark.backends("sqlite")
def test_a_sqlite_file_cannot_hold_both(kitchen: Kitchen) -> None:
    engine = sa.create_engine(kitchen.engine.url, connect_args={"timeout": 0.1})
    stores = SQLDocumentStores(engine)
    stores.create()
    with DocumentSession(kitchen.engine, documents=stores) as session:
        session.add(make_oven())
        with pytest.raises(UnreachableError) as caught:
            session.commit()
        session.rollback()
    stores.close()
    assert "A SQLite file cannot hold the rows as well" in caught.value.hint


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_server_can_hold_both_in_one_database(kitchen: Kitchen) -> None:
    stores = SQLDocumentStores(sa.create_engine(kitchen.engine.url))
    stores.create()
    both = Kitchen(kitchen.engine, stores)
    oven = make_oven()
    both.save(oven)
    with both.session() as session:
        changed(session.get_one(Service, oven.id))
        session.commit()
    assert both.wrong() == []
    stores.close()
