"""Databases for tests: copies that are what the revisions make, on every backend."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import sqlalchemy as sa

from topchef_schema.stages import scratch
from topchef_schema.stages.scratch import Place
from topchef_schema.stages.template import Templates

if TYPE_CHECKING:
    import pytest

    from tests.whole_projects import MakeProject
    from topchef_schema.backends.base import Backend, Server


def test_each_database_is_its_own(
    project: MakeProject, backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = project("linear")
    with ExitStack() as stack:
        templates = Templates(whole.load(), Place(backend, server), stack, whole.root)
        with (
            templates.engine() as one,
            templates.engine() as other,
            templates.engine("aa10") as old,
        ):
            for engine in (one, other):
                with engine.begin() as connection:
                    connection.execute(sa.text("INSERT INTO authors (id, name) VALUES (7, 'a')"))
            assert one.url.database != other.url.database
            assert _version(one) == _version(other) != _version(old) == "aa10"
            urls = [each.url for each in (one, other, old)]
        assert not any(backend.exists(each) for each in urls)


def test_what_cannot_be_copied_is_migrated(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = project("linear")
    with scratch.place("sqlite") as place, ExitStack() as stack:
        templates = Templates(whole.load(), place, stack, whole.root)
        # A copy that is not what its template is.
        monkeypatch.setattr(place.server, "copy", lambda template: place.server.create())
        with templates.engine("aa10") as engine:
            assert _version(engine) == "aa10"


def _version(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        return str(
            connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
        )
