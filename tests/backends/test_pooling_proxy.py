"""Behind a proxy that pools by transaction no lock can be held: that is noticed, and said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.cutting import Proxy, through
from tests.pooling import PoolingProxy
from tests.whole_projects import MakeProject, tables
from topchef_schema import upgrade
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase

pytestmark = pytest.mark.backends("postgresql")


def pids(url: sa.URL) -> set[int]:
    """Return the sessions of the server that answer one client, asked three times."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        question = "SELECT pg_backend_pid()"
        found = {connection.exec_driver_sql(question).scalar_one() for _ in range(3)}
    engine.dispose()
    return found


@pytest.mark.fact(3, 26)
def test_an_idle_pool_is_noticed(project: MakeProject, scratch: ScratchDatabase) -> None:
    """Who is alone there gets the same session again and again."""
    shop = project("linear")
    with PoolingProxy(scratch.url) as proxy:
        behind = replace(scratch, url=through(scratch.url, proxy))
        assert len(pids(behind.url)) == 1
        with pytest.raises(UnreachableError, match="gives every transaction another") as refused:
            upgrade(shop.on(behind))
    assert "leads to the server itself" in refused.value.hint
    assert tables(scratch) == set()


def test_a_proxy_that_hands_on_is_none_of_these(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    shop = project("linear")
    with Proxy(scratch.url) as proxy:
        report = upgrade(shop.on(replace(scratch, url=through(scratch.url, proxy))))
    assert report.data["current"] == ["cc30"]
