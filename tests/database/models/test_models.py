"""What all models share, and what services, jobs and job sets know about each other."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.database.documents import shallow
from topchef_schema.database.json_type import JSON, JSONValueError
from topchef_schema.database.models import AbstractDatabaseModel, Job, JobSet, Service
from topchef_schema.database.schemas import DatabaseSchema, JobStatus

NOON = datetime(2020, 5, 17, 12, tzinfo=UTC)


def make_kitchen() -> tuple[Service, JobSet, list[Job]]:
    oven, dinner = Service.new("oven", description="bakes"), JobSet.new("dinner")
    jobs = [Job.new(oven, {"degrees": 200 + n}, job_set=dinner) for n in range(3)]
    return oven, dinner, jobs


def by_id(thing: Job) -> uuid.UUID:
    return thing.id


def stored(session: Session, *things: AbstractDatabaseModel) -> None:
    """Store *things*, and forget all that was loaded."""
    session.add_all(things)
    session.commit()
    session.expunge_all()


def test_what_is_stored_comes_back(session: Session) -> None:
    oven, dinner, jobs = make_kitchen()
    oven.last_checked_in = NOON
    jobs[1].status, jobs[1].results = JobStatus.COMPLETED, [None, 1.0]
    stored(session, oven, dinner)
    again = session.get(Service, oven.id)
    assert again is not None
    assert (again.name, again.description, again.last_checked_in) == ("oven", "bakes", NOON)
    assert again.jobs == jobs
    assert [job.parameters for job in again.jobs] == [{"degrees": 200 + n} for n in range(3)]
    assert [job.results for job in again.jobs] == [None, [None, 1.0], None]
    assert again.jobs[1].status is JobStatus.COMPLETED
    assert {job.job_set for job in again.jobs} == {dinner}


def test_no_results_are_sql_null(session: Session) -> None:
    oven, _, (waiting, done, _) = make_kitchen()
    done.results = JSON.NULL
    stored(session, oven)
    unfinished = set(session.scalars(sa.select(Job).where(Job.results.is_(None))))
    assert waiting in unfinished
    assert done not in unfinished


def test_models_sort_and_compare_by_uuid_in_queries(session: Session) -> None:
    oven, _, jobs = make_kitchen()
    stored(session, oven)
    ordered = sorted(jobs, key=by_id)
    assert list(session.scalars(sa.select(Job).order_by(Job.job_id))) == ordered
    assert list(session.scalars(sa.select(Job).order_by(Job.id.desc()))) == ordered[::-1]
    after = sa.select(Job).where(Job.id > ordered[0].id).order_by(Job.id).limit(1)
    assert session.scalars(after).one() == ordered[1]
    assert session.scalars(sa.select(Job).where(Job.id == ordered[0].id.hex)).one() == ordered[0]


def test_jobs_are_found_by_what_was_asked(session: Session) -> None:
    oven, _, jobs = make_kitchen()
    stored(session, oven)
    hot = sa.select(Job).where(Job.parameters["degrees"] == 202)
    assert session.scalars(hot).all() == [jobs[2]]


def test_a_service_takes_its_jobs_along(session: Session) -> None:
    oven, dinner, jobs = make_kitchen()
    fridge = Service.new("fridge")
    kept = Job.new(fridge, {}, job_set=dinner)
    stored(session, oven, fridge)
    session.delete(session.get_one(Service, oven.id))
    session.commit()
    assert session.scalars(sa.select(Job)).all() == [kept]
    assert session.get(JobSet, dinner.id) == dinner
    assert session.get(Job, jobs[0].id) is None


def test_the_database_takes_them_along_too(session: Session) -> None:
    oven, dinner, jobs = make_kitchen()
    stored(session, oven)
    session.execute(sa.delete(JobSet))
    assert set(session.scalars(sa.select(Job))) == set(jobs)
    assert set(session.scalars(sa.select(Job.job_set_id))) == {None}
    session.execute(sa.delete(Service).where(Service.id == oven.id))
    assert session.scalars(sa.select(Job)).all() == []
    assert session.get(JobSet, dinner.id) is None


def test_jobs_outlive_their_set(session: Session) -> None:
    oven, dinner, jobs = make_kitchen()
    stored(session, oven)
    session.delete(session.get_one(JobSet, dinner.id))
    session.commit()
    assert set(session.scalars(sa.select(Job).where(Job.job_set_id.is_(None)))) == set(jobs)


def test_a_job_without_its_service_is_gone(session: Session) -> None:
    oven, _, _ = make_kitchen()
    stored(session, oven)
    again = session.get_one(Service, oven.id)
    removed = again.jobs.pop()
    session.commit()
    assert session.get(Job, removed.id) is None


def test_a_set_is_made_of_jobs() -> None:
    oven = Service.new("oven")
    jobs = [Job.new(oven, {}), Job.new(oven, {})]
    assert JobSet.new("dinner", jobs=jobs).jobs == jobs


def test_identity_is_class_and_uuid() -> None:
    key = uuid.uuid4()
    one, other = Service(service_id=key, name="oven"), Service(service_id=str(key), name="stove")
    assert one == other
    assert len({one, other, JobSet(job_set_id=key)}) == 2
    assert one != Service(name="oven")
    assert one != key
    assert one.id == key
    assert Service().id != Service().id


def test_identity_needs_no_query(session: Session) -> None:
    oven = Service.new("oven")
    key = oven.id
    session.add(oven)
    session.commit()
    session.expire(oven)
    session.expunge(oven)
    assert oven == Service(service_id=key)
    assert hash(oven) == hash(Service(service_id=key))
    assert repr(oven) == f"<Service {key}>"


def test_a_repr_tells_which_one_it_is() -> None:
    oven, dinner, (job, *_) = make_kitchen()
    assert repr(oven) == f"<Service {oven.id} name='oven'>"
    assert repr(dinner) == f"<JobSet {dinner.id} description='dinner'>"
    assert repr(job) == f"<Job {job.id} status={JobStatus.REGISTERED!r}>"


def test_export_is_plain_data_and_comes_back(session: Session) -> None:
    oven, dinner, _ = make_kitchen()
    stored(session, oven, dinner)
    for model in (Service, JobSet, Job):
        for thing in session.scalars(sa.select(model)):
            plain = thing.to_dict()
            assert set(plain) == set(model.__table__.columns.keys())
            again = model.from_dict(json.loads(json.dumps(plain)))
            assert again == thing
            assert again.to_dict() == plain


@given(parameters=shallow, seconds=st.integers(0, 10**9), status=st.sampled_from(JobStatus))
def test_every_job_survives_export(parameters: Any, seconds: int, status: JobStatus) -> None:
    job = Job(
        parameters=parameters,
        status=status,
        date_submitted=NOON + timedelta(microseconds=seconds),
        results=[parameters],
        job_set_id=None,
    )
    plain = job.to_dict()
    assert "service_id" not in plain
    assert Job.from_dict(json.loads(json.dumps(plain))).to_dict() == plain


def test_an_export_is_a_copy() -> None:
    job = Job.new(Service.new("oven"), {"list": [1]})
    job.to_dict()["parameters"]["list"].append(2)
    assert job.parameters == {"list": [1]}


def test_what_is_missing_gets_its_default(session: Session) -> None:
    oven = Service.from_dict({"name": "oven"})
    session.add(oven)
    session.flush()
    assert oven.heartbeat_timeout_seconds == 30


def test_a_wrong_name_is_told_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"a Service has no 'nmae'; did you mean 'name'\?"):
        Service.from_dict({"nmae": "oven"})
    with pytest.raises(TypeError, match=r"a Job has no 'parameter'; did you mean 'parameters'\?"):
        Job(parameter={})
    with pytest.raises(ValueError, match="a Service has no 'jobs'"):
        Service.from_dict({"jobs": []})


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        (Service, {"name": "x" * 31}, r"services.name: a text of 31 characters; it holds 30"),
        (Service, {"name": 5}, r"services.name: 5 is no str"),
        (Service, {"name": None}, r"services.name: None is no str"),
        (Service, {"name": "a\0"}, r"services.name: .*NUL"),
        (Service, {"name": "\ud800"}, r"services.name: .*U\+D800"),
        (Service, {"heartbeat_timeout_seconds": 2**31}, "outside 32 bits"),
        (Service, {"heartbeat_timeout_seconds": True}, "True is no int"),
        (Service, {"is_service_available": 1}, "1 is no bool"),
        (Service, {"last_checked_in": datetime(2020, 1, 1)}, "no time zone"),
        (Service, {"service_id": "oven"}, "services.service_id: 'oven' is not a UUID"),
        (Service, {"service_id": None}, "not a UUID"),
        (Job, {"status": "BURNT"}, "'BURNT' is not a valid JobStatus"),
        (JobSet, {"description": "x" * 141}, "it holds 140"),
    ],
)
def test_what_a_column_cannot_hold_is_refused_when_set(
    model: type[AbstractDatabaseModel], values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        model(**values)
    with pytest.raises(ValueError, match=said):
        model.from_dict(values)


def test_a_document_is_refused_when_set() -> None:
    with pytest.raises(JSONValueError) as caught:
        Job.new(Service.new("oven"), {"degrees": float("nan")})
    assert caught.value.path == "$.degrees"


def test_other_spellings_are_read_when_set() -> None:
    job = Job(status="WORKING", date_submitted=NOON.astimezone(timezone(timedelta(hours=5))))
    assert job.status is JobStatus.WORKING
    assert job.date_submitted.tzinfo is UTC
    assert job.date_submitted == NOON
    job.service_id = uuid.UUID(int=5).urn  # type: ignore[assignment]
    assert job.service_id == uuid.UUID(int=5)


@pytest.mark.backends("postgresql")
def test_models_follow_to_another_schema(engine: sa.Engine, session: Session) -> None:
    kitchen = DatabaseSchema(schema="kitchen").metadata
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("kitchen"))
        kitchen.create_all(connection)
    elsewhere = engine.execution_options(schema_translate_map={None: "kitchen"})
    oven, _, jobs = make_kitchen()
    with Session(elsewhere, expire_on_commit=False) as there:
        stored(there, oven)
        assert there.scalars(sa.select(Job).where(Job.status == "REGISTERED")).all()
        assert there.scalars(sa.select(Job).order_by(Job.id)).first() == min(jobs, key=by_id)
    assert session.scalars(sa.select(Job)).all() == []
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema("kitchen", cascade=True))


def test_an_expression_may_be_set(session: Session) -> None:
    oven = Service.new("oven", heartbeat_timeout_seconds=5)
    session.add(oven)
    session.flush()
    oven.heartbeat_timeout_seconds = Service.heartbeat_timeout_seconds + 1
    session.commit()
    assert oven.heartbeat_timeout_seconds == 6


def test_a_service_times_out_when_it_was_silent_for_its_timeout() -> None:
    oven = Service.new("oven", heartbeat_timeout_seconds=30)
    oven.last_checked_in = NOON
    assert oven.expires_at == NOON + timedelta(seconds=30)
    assert not oven.has_timed_out(NOON + timedelta(seconds=29.999999))
    assert oven.has_timed_out(NOON + timedelta(seconds=30))
    assert oven.has_timed_out()
    assert not oven.is_available


def test_checking_in_makes_it_available_again() -> None:
    oven = Service.new("oven")
    oven.last_checked_in = NOON
    oven.check_in()
    assert not oven.has_timed_out()
    assert oven.is_available
    oven.is_service_available = False
    assert not oven.is_available


def test_an_overtaken_message_does_not_turn_the_clock_back() -> None:
    oven = Service.new("oven")
    oven.last_checked_in = NOON
    oven.check_in(NOON - timedelta(seconds=1))
    assert oven.last_checked_in == NOON
    oven.check_in((NOON + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=2))))
    assert oven.last_checked_in == NOON + timedelta(seconds=1)
    for ask in (oven.check_in, oven.has_timed_out):
        with pytest.raises(ValueError, match="no time zone"):
            ask(datetime(2020, 1, 1))


def test_a_new_job_waits(session: Session) -> None:
    before = datetime.now(UTC)
    job = Job.new(Service.new("oven"), {"degrees": 200})
    assert job.status is JobStatus.REGISTERED
    assert job.results is None
    assert job.job_set is None
    assert before <= job.date_submitted <= datetime.now(UTC)
