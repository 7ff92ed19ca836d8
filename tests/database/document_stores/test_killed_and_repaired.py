"""A process that dies between the two writes leaves what can be seen, and then repaired."""

from __future__ import annotations

import signal
import uuid
from typing import Any

import pytest
from sqlalchemy.exc import NoResultFound

from tests.database.document_stores.kitchen import SCHEMA, Kitchen, changed, other_process
from topchef_schema.database.documents import Disagree, Right
from topchef_schema.database.models import Job, Service

PLACE = "$.job_registration_schema.properties.name.type"

KILLED: list[tuple[str, str, list[tuple[Disagree, str]], bool]] = [
    ("create", "before put", [], False),
    ("create", "after put", [(Disagree.EXTRA, "$")], False),
    ("update", "before put", [], True),
    ("update", "after put", [(Disagree.DIFFERENT, PLACE)], True),
    ("delete", "before delete", [(Disagree.EXTRA, "$")], False),
    ("delete", "after delete", [], False),
]
"""What is done, where it is killed, what disagrees then, and whether the row is there."""


@pytest.mark.parametrize(("act", "point", "expected", "there"), KILLED)
def test_a_process_is_killed(
    kitchen: Kitchen, act: str, point: str, expected: list[tuple[Disagree, str]], there: bool
) -> None:
    key = uuid.uuid4()
    if act != "create":
        kitchen.save(Service(service_id=key, name="oven", job_registration_schema=SCHEMA))
    assert other_process(kitchen, act, point, key) == -signal.SIGKILL
    wrong = kitchen.wrong()
    assert [(each.kind, each.path) for each in wrong] == expected
    assert {each.key for each in wrong} <= {key}
    assert has_row(kitchen, key) is there
    if there:
        with kitchen.session() as session:
            assert session.get_one(Service, key).job_registration_schema == SCHEMA
    with kitchen.session() as session:
        repaired = Service.repair_documents(session, key, right="row")
        assert list(repaired) == wrong
        assert Service.repair_documents(session, key, right="row") == ()
    assert kitchen.wrong() == []
    assert has_row(kitchen, key) is there
    with kitchen.session() as session:
        if there:
            changed(session.get_one(Service, key))
        else:
            session.add(Service(service_id=key, name="oven"))
        session.commit()
    assert kitchen.wrong() == []


def has_row(kitchen: Kitchen, key: uuid.UUID) -> bool:
    with kitchen.session() as session:
        return session.get(Service, key) is not None


@pytest.mark.parametrize("act", ["create", "update", "delete"])
def test_the_other_process_does_what_it_says(kitchen: Kitchen, act: str) -> None:
    key = uuid.uuid4()
    if act != "create":
        kitchen.save(Service(service_id=key, name="oven", job_registration_schema=SCHEMA))
    assert other_process(kitchen, act, "never", key) == 0
    assert has_row(kitchen, key) is (act != "delete")
    assert kitchen.wrong() == []


def stored_job(kitchen: Kitchen, document: Any) -> Job:
    job = Job.new(Service.new("oven"), {"degrees": 200})
    kitchen.save(job)
    if document is None:
        kitchen.jobs().delete(job.id)
    else:
        kitchen.jobs().put(job.id, document)
    return job


def test_the_row_may_be_right(kitchen: Kitchen) -> None:
    for document in (None, {"parameters": {}, "results": [1]}, "anything"):
        job = stored_job(kitchen, document)
        with kitchen.session() as session:
            assert Job.repair_documents(session, job.id, right=Right.ROW)
            assert session.get_one(Job, job.id).parameters == {"degrees": 200}
        assert kitchen.jobs().get(job.id) == {"parameters": {"degrees": 200}, "results": None}
    assert kitchen.wrong() == []


@pytest.mark.parametrize("results", [None, [1, 2.5]])
def test_the_document_may_be_right(kitchen: Kitchen, results: Any) -> None:
    document = {"parameters": {"degrees": 180}, "results": results}
    job = stored_job(kitchen, document)
    with kitchen.session() as session:
        loaded = session.get_one(Job, job.id)
        repaired = Job.repair_documents(session, str(job.id), right="document")
        assert repaired[0].path == "$.parameters.degrees"
        assert (loaded.parameters, loaded.results) == ({"degrees": 180}, results)
    assert kitchen.jobs().get(job.id) == document
    assert kitchen.wrong() == []


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "if that is right, delete the row"),
        ({"parameters": {}}, "with parameters, results and nothing else"),
        ({"parameters": {}, "results": 1, "more": 2}, "nothing else"),
        (["parameters"], "nothing else"),
    ],
)
def test_a_document_that_cannot_say_what_the_row_is(
    kitchen: Kitchen, document: Any, said: str
) -> None:
    job = stored_job(kitchen, document)
    before = kitchen.wrong()
    assert before
    with kitchen.session() as session:
        with pytest.raises(ValueError, match=said):
            Job.repair_documents(session, job.id, right="document")
        assert session.get_one(Job, job.id).parameters == {"degrees": 200}
    assert kitchen.wrong() == before


def test_a_document_alone_makes_no_row(kitchen: Kitchen) -> None:
    key = uuid.uuid4()
    kitchen.jobs().put(key, {"parameters": {}, "results": None})
    with kitchen.session() as session:
        with pytest.raises(ValueError, match="cannot be made from it"):
            Job.repair_documents(session, key, right="document")
        with pytest.raises(NoResultFound):
            session.get_one(Job, key)
        assert kitchen.jobs().get(key)
        assert Job.repair_documents(session, key, right="row")[0].kind is Disagree.EXTRA
    assert kitchen.wrong() == []


def test_a_side_has_to_be_chosen(kitchen: Kitchen) -> None:
    job = stored_job(kitchen, "wrong")
    with kitchen.session() as session:
        with pytest.raises(ValueError, match="'both' is not a valid Right"):
            Job.repair_documents(session, job.id, right="both")
        with pytest.raises(TypeError):
            Job.repair_documents(session, job.id)  # type: ignore[call-arg]
    assert kitchen.jobs().get(job.id) == "wrong"


def test_changes_of_the_session_itself_are_not_committed_by_a_repair(kitchen: Kitchen) -> None:
    job = stored_job(kitchen, "wrong")
    with kitchen.session() as session:
        changed(session.get_one(Service, job.service_id))
        for _ in range(2):
            with pytest.raises(ValueError, match="commit or roll back first"):
                Job.repair_documents(session, job.id, right="row")
            session.flush()
        session.rollback()
        Job.repair_documents(session, job.id, right="row")
        assert session.get_one(Service, job.service_id).job_registration_schema == {
            "type": "object"
        }
    assert kitchen.wrong() == []
