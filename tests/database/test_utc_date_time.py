"""Moments come back equal, aware and in UTC, to the microsecond, from four real servers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError

from topchef_schema.database.utc_date_time import UtcDateTime, to_utc, utc_now

METADATA = sa.MetaData()
TABLE = sa.Table("kept_times", METADATA, sa.Column("moment", UtcDateTime))

zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1000, 1, 3), datetime(9999, 12, 29), timezones=zones)


@pytest.fixture(scope="module")
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    METADATA.create_all(engine)
    with engine.connect() as connection:
        yield connection
    METADATA.drop_all(engine)


@given(moment=moments, other=moments)
def test_every_moment_comes_back_in_utc(
    connection: sa.Connection, moment: datetime, other: datetime
) -> None:
    with connection.begin() as transaction:
        connection.execute(TABLE.insert().values(moment=moment))
        read = connection.scalars(sa.select(TABLE.c.moment)).one()
        before = connection.scalar(sa.select(sa.func.count()).where(TABLE.c.moment < other))
        transaction.rollback()
    assert read == moment
    assert read.tzinfo is UTC
    assert bool(before) == (moment < other)


@pytest.mark.parametrize("value", [datetime(2020, 1, 1), date(2020, 1, 1), "2020-01-01", 0])
def test_what_is_no_moment_is_refused(connection: sa.Connection, value: Any) -> None:
    with pytest.raises(ValueError, match=r"time zone|not a datetime"):
        to_utc(value)
    with pytest.raises(StatementError, match=r"time zone|not a datetime"):
        connection.execute(TABLE.insert().values(moment=value))
    connection.rollback()


def test_nothing_stays_nothing(connection: sa.Connection) -> None:
    connection.execute(TABLE.insert().values(moment=None))
    assert connection.scalars(sa.select(TABLE.c.moment)).all() == [None]
    connection.rollback()


def test_now_is_aware_and_moves_on() -> None:
    assert utc_now().tzinfo is UTC
    assert utc_now() <= utc_now()
