"""The tables are what they are to be, have names for everything, and do not touch another's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.schema import CreateTable

from tests.servers import Servers
from topchef_schema.backends import named
from topchef_schema.database.schemas import AbstractDatabaseSchema, DatabaseSchema, JobStatus
from topchef_schema.database.schemas.database_schema import MAX_PREFIX_LENGTH, SCHEMA, metadata


@pytest.fixture
def empty(servers: Servers, backend_name: str) -> Iterator[sa.Engine]:
    database = servers[backend_name].create()
    engine = sa.create_engine(named(backend_name).with_driver(database.url))
    yield engine
    engine.dispose()
    servers[backend_name].drop(database)


def tables(schema: AbstractDatabaseSchema) -> list[sa.Table]:
    return [schema.services, schema.job_sets, schema.jobs]


def names(schema: DatabaseSchema) -> list[str]:
    """Return the names of all that a schema makes in a database."""
    found = [str(schema.jobs.c.status.type.name)]  # type: ignore[attr-defined]
    for table in tables(schema):
        found.append(table.name)
        found += [str(constraint.name) for constraint in table.constraints]
        found += [str(index.name) for index in table.indexes]
    return found


def test_every_table_is_a_property_of_the_interface() -> None:
    properties = {
        name for name, value in vars(AbstractDatabaseSchema).items() if isinstance(value, property)
    }
    assert properties == {"metadata", *SCHEMA.metadata.tables}
    assert {table.name for table in tables(SCHEMA)} == set(metadata.tables)


def test_no_table_can_be_overwritten_or_forgotten() -> None:
    with pytest.raises(AttributeError):
        SCHEMA.jobs = SCHEMA.services  # type: ignore[misc]
    forgetful = type("Forgetful", (DatabaseSchema,), {"jobs": AbstractDatabaseSchema.jobs})
    with pytest.raises(TypeError, match="abstract"):
        forgetful()


def test_a_new_database_does_not_differ_from_the_tables(empty: sa.Engine) -> None:
    metadata.create_all(empty)
    with empty.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_constraint_and_index_has_its_name_on_the_server(empty: sa.Engine) -> None:
    metadata.create_all(empty)
    seen = sa.inspect(empty)
    keys = seen.get_foreign_keys("jobs")
    assert {key["name"]: key["options"].get("ondelete") for key in keys} == {
        "fk_jobs_service_id": "CASCADE",
        "fk_jobs_job_set_id": "SET NULL",
    }
    indexes = {index["name"]: index["column_names"] for index in seen.get_indexes("jobs")}
    assert indexes == {
        "ix_jobs_service_id": ["service_id"],
        "ix_jobs_job_set_id": ["job_set_id"],
    }


def test_nothing_may_be_missing_but_results_and_the_set() -> None:
    nullable = {str(column) for table in tables(SCHEMA) for column in table.c if column.nullable}
    assert nullable == {"jobs.results", "jobs.job_set_id"}


def test_defaults_are_made_for_each_row(empty: sa.Engine) -> None:
    metadata.create_all(empty)
    services = SCHEMA.services
    with empty.begin() as connection:
        for _ in range(2):
            connection.execute(services.insert().values(name="oven"))
        first, second = connection.execute(
            sa.select(services).order_by(services.c.last_checked_in)
        ).all()
    assert first.service_id != second.service_id
    assert first.last_checked_in < second.last_checked_in
    assert first.description == "No description"
    assert first.heartbeat_timeout_seconds == 30
    assert first.is_service_available is True
    assert first.job_registration_schema == first.job_result_schema == {"type": "object"}


def test_a_status_comes_back_as_such_and_no_other_goes_in(empty: sa.Engine) -> None:
    metadata.create_all(empty)
    with empty.begin() as connection:
        connection.execute(SCHEMA.services.insert().values(name="oven"))
        service_id = connection.scalar(sa.select(SCHEMA.services.c.service_id))
        for status in JobStatus:
            row: dict[str, object] = {"service_id": service_id, "status": status, "parameters": {}}
            connection.execute(SCHEMA.jobs.insert().values(row))
        assert set(connection.scalars(sa.select(SCHEMA.jobs.c.status))) == set(JobStatus)
        with pytest.raises(sa.exc.StatementError, match="not among the defined enum values"):
            connection.execute(sa.select(SCHEMA.jobs).where(SCHEMA.jobs.c.status == "BURNT"))


def test_two_topchefs_share_a_database(empty: sa.Engine) -> None:
    one, other = DatabaseSchema(prefix="north_"), DatabaseSchema(prefix="south_")
    for schema in (SCHEMA, one, other):
        schema.metadata.create_all(empty)
    assert not {*names(one)} & {*names(other), *names(SCHEMA)}
    other.metadata.drop_all(empty)
    with empty.connect() as connection:
        assert connection.execute(sa.select(one.jobs)).all() == []
        assert connection.execute(sa.select(SCHEMA.jobs)).all() == []
    assert "south_jobs" not in sa.inspect(empty).get_table_names()


@pytest.mark.backends("postgresql")
def test_two_topchefs_have_a_schema_each(empty: sa.Engine) -> None:
    kitchen = DatabaseSchema(schema="kitchen")
    with empty.begin() as connection:
        connection.execute(sa.schema.CreateSchema("kitchen"))
    for schema in (SCHEMA, kitchen):
        schema.metadata.create_all(empty)
    seen = sa.inspect(empty)
    assert set(seen.get_table_names("kitchen")) == {"services", "jobs", "job_sets"}
    enums = seen.get_enums("*")  # type: ignore[attr-defined]
    assert {enum["schema"] for enum in enums} == {"public", "kitchen"}
    key = seen.get_foreign_keys("jobs", schema="kitchen")[0]
    assert key["referred_schema"] == "kitchen"


def test_the_longest_prefix_leaves_every_name_whole() -> None:
    schema = DatabaseSchema(prefix="p" * MAX_PREFIX_LENGTH)
    assert max(map(len, names(schema))) <= 63
    dialect = sa.create_mock_engine("postgresql+psycopg://", print).dialect
    ddl = "".join(str(CreateTable(table).compile(dialect=dialect)) for table in tables(schema))
    assert f"fk_{schema.jobs.name}_service_id" in ddl


@pytest.mark.parametrize("prefix", ["1st_", "Two_", "über_", "a-b", "x" * 25, " ", "a\n"])
def test_a_prefix_that_servers_would_read_differently_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="table prefix"):
        DatabaseSchema(prefix=prefix)


def test_only_two_states_are_final() -> None:
    assert {status for status in JobStatus if status.is_final} == {"COMPLETED", "ERROR"}
