"""The scripts of TopChef's revisions do, in each database's own client, what an upgrade does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.revisions.conftest import INI, Place
from tests.revisions.old_topchef import OldCode, Rows, rows
from tests.revisions.test_topchef_revisions import read, through_the_models, without_holes
from topchef_schema import sql, status, upgrade
from topchef_schema.backends import named
from topchef_schema.model import diff
from topchef_schema.project import Project

if TYPE_CHECKING:
    from tests.golden_files import Golden
    from topchef_schema.backends.base import Server


def run(place: Place, server: Server, range_: str, *, down: bool = False) -> None:
    """Write the script of *range_* and feed it to the client."""
    replayed_on = server.url.render_as_string(hide_password=False)
    report = sql(place.project, range_, on=[replayed_on], down=down)
    script = report.data["scripts"][0]["sql"]
    done = named(place.backend).scripting.client(place.url).run(script)
    assert done.returncode == 0, done.stdout + done.stderr
    noise = [line for line in done.stderr.splitlines() if "NOTICE" not in line]
    assert noise == []


def filled_by_script(place: Place, server: Server) -> Rows:
    run(place, server, "base:0001")
    with place.connected() as connection:
        OldCode(place.backend).write(connection, rows())
    return rows()


def test_script_builds_what_an_upgrade_builds(
    place: Place, other_place: Place, server: Server
) -> None:
    content = filled_by_script(place, server)
    upgrade(other_place.project, "0001")
    assert diff(place.snapshot(), other_place.snapshot()).changes == ()

    run(place, server, "0001:head")
    upgrade(other_place.project)
    assert diff(place.snapshot(), other_place.snapshot()).changes == ()
    assert status(place.project).data["pending"] == []
    assert through_the_models(place) == without_holes(content)


def test_script_leads_down_again(place: Place, server: Server) -> None:
    empty = place.snapshot()
    content = filled_by_script(place, server)
    at_first = place.snapshot()
    upgrade(place.project)

    run(place, server, "0001:head", down=True)
    assert diff(place.snapshot(), at_first).changes == ()
    assert read(place, "0001") == without_holes(content)
    run(place, server, "base:0001", down=True)
    assert diff(place.snapshot(), empty).changes == ()


def test_script_needs_a_server_only_where_tables_are_copied(place: Place, server: Server) -> None:
    replayed_on = server.url.render_as_string(hide_password=False)
    report = sql(place.project, "base:head", on=[replayed_on])
    replayed = [each.revision for each in report.findings if each.rule == "depends-on-data"]
    on_sqlite = ["0002", "0003", "0004", "0005", "0009"]
    assert replayed == (on_sqlite if place.backend == "sqlite" else [])


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("on", ["postgresql", "mariadb", "mysql", "mssql", "oracle"])
def test_scripts_are_kept(golden: Golden, on: str, way: str) -> None:
    report = sql(Project.load(INI), on=[on], down=way == "down")
    golden(f"sql/{on}-{way}.sql", report.script or "")


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("way", ["up", "down"])
def test_scripts_of_copied_tables_are_kept(golden: Golden, server: Server, way: str) -> None:
    on = server.url.render_as_string(hide_password=False)
    report = sql(Project.load(INI), on=[on], down=way == "down")
    golden(f"sql/sqlite-{way}.sql", report.script or "")


def test_all_scripts_are_kept(golden: Golden) -> None:
    """Also those that are in no sample of this run."""
    for on in ("postgresql", "mariadb", "mysql", "mssql", "oracle", "sqlite"):
        for way in ("up", "down"):
            golden.keep(f"sql/{on}-{way}.sql")
