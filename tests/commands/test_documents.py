"""`topchef-db documents` finds each disagreement of rows and documents, and writes nothing."""

from __future__ import annotations

import json
import os
import pty
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa

from tests.documents_of_reports import checked
from tests.whole_projects import MakeProject, call, tables, text
from topchef_schema import documents
from topchef_schema.database.documents import DocumentSession, SQLDocumentStores
from topchef_schema.database.models import Job, Service
from topchef_schema.database.schemas.database_schema import metadata
from topchef_schema.errors import UnreachableError
from topchef_schema.model import Finding, Report
from topchef_schema.model.documents import Disagree
from topchef_schema.project import Project
from topchef_schema.stages import documents as stage

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server

TOPCHEF = str(Path(__file__).resolve().parents[2] / "alembic.ini")


@dataclass(frozen=True)
class Laid:
    """TopChef's tables in one database, the documents in another, opened for writing."""

    rows: str
    store: str
    engine: sa.Engine
    stores: SQLDocumentStores

    def save(self, *things: Any) -> None:
        with DocumentSession(self.engine, documents=self.stores) as session:
            session.add_all(things)
            session.commit()

    def report(self, **options: Any) -> Report:
        report: Report = documents(Project.load(TOPCHEF, url=self.rows), self.store, **options)
        return report

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return call("documents", "-c", TOPCHEF, "--url", self.rows, *arguments)


@pytest.fixture
def laid(server: Server, scratch: ScratchDatabase) -> Iterator[Laid]:
    beside = server.create()
    engine = sa.create_engine(scratch.url)
    metadata.create_all(engine)
    with closing(SQLDocumentStores(sa.create_engine(beside.url))) as stores:
        stores.create()
        yield Laid(text(scratch), beside.url.render_as_string(hide_password=False), engine, stores)
    engine.dispose()
    server.drop(beside)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "SECONDS_BEFORE_SECOND_LOOK", 0.01)


def kitchen(jobs: int = 0) -> Service:
    oven = Service.new("oven", job_registration_schema={"properties": {"a": {"type": "string"}}})
    oven.jobs = [Job.new(oven, {"n": number}) for number in range(jobs)]
    return oven


def test_agreement(laid: Laid, backend_name: str) -> None:
    oven = kitchen(3)
    laid.save(oven)
    done = laid.call("--store", laid.store, "--format", "json")
    assert done.returncode == 0, done.stdout
    document = checked(done.stdout)
    assert document["findings"] == []
    assert document["data"]["resources"] == [
        {"resource": "services", "rows": 1, "documents": 1}
        | {"missing": 0, "extra": 0, "different": 0},
        {"resource": "jobs", "rows": 3, "documents": 3}
        | {"missing": 0, "extra": 0, "different": 0},
    ]
    assert [(each["name"], each["outcome"], each["backend"]) for each in document["checks"]] == [
        ("services", "passed", backend_name),
        ("jobs", "passed", backend_name),
    ]
    plain = laid.call("--store", laid.store)
    assert "4 rows agree with their documents in " in plain.stdout


def disagreeing(laid: Laid) -> tuple[uuid.UUID, uuid.UUID, uuid.UUID]:
    """Return the UUIDs of what is different (a service), missing (a job) and extra (a job)."""
    oven = kitchen(3)
    laid.save(oven)
    with DocumentSession(laid.engine, documents=laid.stores) as session:
        (service,) = session.scalars(sa.select(Service.id))
        missing = session.scalars(sa.select(Job.id).order_by(Job.id)).first()
    assert missing is not None
    whole = laid.stores["services"].get(service)
    whole["job_registration_schema"]["properties"]["a"]["type"] = "integer"
    laid.stores["services"].put(service, whole)
    laid.stores["jobs"].delete(missing)
    extra = uuid.uuid4()
    laid.stores["jobs"].put(extra, ["left"])
    return service, missing, extra


def test_each_disagreement_is_a_finding(laid: Laid) -> None:
    service, missing, extra = disagreeing(laid)
    done = laid.call("--store", laid.store, "--format", "json")
    assert done.returncode == 10
    document = checked(done.stdout)
    found = {each["rule"]: each for each in document["findings"]}
    assert set(found) == {str(each) for each in Disagree}
    assert len(document["findings"]) == 3
    different = found["document-different"]
    assert different["object"] == f"services {service}"
    assert different["path"] == "$.job_registration_schema.properties.a.type"
    assert (different["before"], different["after"]) == ('"string"', '"integer"')
    assert found["document-missing"]["object"] == f"jobs {missing}"
    assert found["document-missing"]["after"] is None
    assert found["document-extra"]["object"] == f"jobs {extra}"
    assert (found["document-extra"]["before"], found["document-extra"]["after"]) == (
        None,
        '["left"]',
    )
    for each in document["findings"]:
        assert each["severity"] == "error"
        assert each["help"]
        assert each["object"] in each["message"]
        assert "topchef_documents" in each["message"]
        assert each["path"].startswith("$")
    assert [each["outcome"] for each in document["checks"]] == ["failed", "failed"]
    assert laid.call("--store", laid.store, "--format", "json").stdout.count("rule") == 3


def test_junit_has_a_case_for_each_resource(laid: Laid) -> None:
    disagreeing(laid)
    suite = ElementTree.fromstring(laid.call("--store", laid.store, "--format", "junit").stdout)
    failures = {case.get("name"): len(case.findall("failure")) for case in suite}
    assert failures == {"services": 1, "jobs": 2}


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_batches_find_what_all_at_once_would(
    laid: Laid, rng: random.Random, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(stage, "BATCH", size)
    oven = kitchen()
    keys = [uuid.UUID(int=rng.getrandbits(128), version=rng.choice([1, 4])) for _ in range(25)]
    laid.save(oven, *(Job(job_id=key, service=oven, parameters=1) for key in keys))
    expected = dict.fromkeys(Disagree, 0)
    store = laid.stores["jobs"]
    wanted: set[tuple[str, str]] = set()
    for key in keys:
        kind = rng.choice([None, *Disagree])
        if kind is None:
            continue
        expected[kind] += 1
        if kind is Disagree.MISSING:
            store.delete(key)
        elif kind is Disagree.DIFFERENT:
            store.put(key, {"parameters": 2, "results": None})
        else:
            key = uuid.UUID(int=rng.getrandbits(128), version=rng.choice([1, 4]))  # noqa: PLW2901
            store.put(key, 3)
        wanted.add((str(kind), f"jobs {key}"))
    report = laid.report()
    assert {(each.rule, each.object) for each in report.findings} == wanted
    assert report.data["resources"][1] == {
        "resource": "jobs",
        "rows": 25,
        "documents": 25 - expected[Disagree.MISSING] + expected[Disagree.EXTRA],
        "missing": expected[Disagree.MISSING],
        "extra": expected[Disagree.EXTRA],
        "different": expected[Disagree.DIFFERENT],
    }
    objects = [str(each.object) for each in report.findings]
    assert objects == sorted(objects)


@pytest.mark.backends("sqlite")
def test_all_are_counted_and_some_told(laid: Laid) -> None:
    for _ in range(5):
        laid.stores["jobs"].put(uuid.uuid4(), 1)
    report = laid.report(limit=2)
    assert len(report.findings) == 2
    assert report.data["resources"][1]["extra"] == 5
    assert report.checks[1].detail == "5 disagree, findings tell of 2"
    assert "5 disagree" in str(report.summary)
    done = laid.call("--store", laid.store, "--limit", "2", "--format", "json")
    assert len(checked(done.stdout)["findings"]) == 2
    assert laid.call("--store", laid.store, "--limit", "0").returncode == 2


def test_who_is_between_the_two_writes_does_not_disagree(laid: Laid) -> None:
    """The first look comes before the second write, the second look after it."""
    oven = kitchen()
    laid.save(oven)
    with laid.engine.connect() as connection:
        key = connection.execute(sa.select(Service.id)).scalar_one()
    store = laid.stores["services"]
    whole = store.get(key)
    store.put(key, {**whole, "job_result_schema": 5})
    store.put(uuid.UUID(int=1), 1)
    looks: list[int] = []

    def meanwhile(done: int, total: int) -> None:
        looks.append(done)
        if len(looks) == 2:  # both sides of the services were looked at
            store.put(key, whole)
            store.delete(uuid.UUID(int=1))

    report = laid.report(progress=meanwhile)
    assert looks[:2] == [1, 2]
    assert report.findings == ()
    assert report.exit_code() == 0


def test_progress_ends_with_all(laid: Laid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "BATCH", 2)
    oven = kitchen(5)
    laid.save(oven)
    laid.stores["jobs"].put(uuid.uuid4(), 1)
    seen: list[tuple[int, int]] = []
    laid.report(progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (12, 12)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {total for _, total in seen} == {12}


@pytest.mark.backends("sqlite")
def test_a_bar_is_shown_on_a_terminal_and_nowhere_else(laid: Laid) -> None:
    oven = kitchen(3)
    laid.save(oven)
    arguments = ["documents", "-c", TOPCHEF, "--url", laid.rows, "--store", laid.store]
    assert "100%" in on_a_terminal(*arguments)
    assert on_a_terminal(*arguments, "-q") == ""
    done = laid.call("--store", laid.store)
    assert "%" not in done.stdout + done.stderr
    assert done.stderr == ""


def on_a_terminal(*arguments: str) -> str:
    """Run the program with a terminal as its stderr; return what is written there."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "topchef_schema", *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal, check=False
    )
    os.close(terminal)
    written = b""
    try:
        while part := os.read(controller, 4096):
            written += part
    except OSError:  # how a terminal says that nobody writes to it any more
        pass
    os.close(controller)
    assert done.returncode == 0
    assert b"%" not in done.stdout
    return written.decode()


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_a_password_is_never_shown(laid: Laid, monkeypatch: pytest.MonkeyPatch) -> None:
    disagreeing(laid)
    secret = str(sa.make_url(laid.store).password)
    assert len(secret) > 5
    monkeypatch.setenv("DOCUMENTS", laid.store)
    wrong = sa.make_url(laid.store).set(database="nothing_of_that_name")
    for store in (
        ("--store", laid.store),
        ("--store-env", "DOCUMENTS"),
        ("--store", wrong.render_as_string(hide_password=False)),
    ):
        for format_ in ("text", "json", "junit"):
            done = laid.call(*store, "--format", format_)
            assert done.returncode in (10, 3)
            assert secret not in done.stdout + done.stderr
            assert "Traceback" not in done.stderr


SECRET = "s3cr3t-words"

REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    ((), 2, "is not named"),
    (("--store", "sqlite:///a.db", "--store-env", "HOME"), 2, "named twice"),
    (("--store-env", "NO_SUCH_VARIABLE"), 2, '"NO_SUCH_VARIABLE" is not set'),
    (("--store", "documents"), 2, "not the URL of a document store"),
    (("--store", f"couch://me:{SECRET}@host/x"), 2, "not the URL of a document store"),
    (("--store", f"postgresql://me:{SECRET}@host:port/x"), 2, "not a database URL"),
    (("--store", f"mongodb://me:{SECRET}@@host/x"), 2, "cannot be read"),
    (("--store", f"mongodb://me:{SECRET}@host:port/x"), 2, "cannot be read"),
    (("--store", "sqlite:///no.db"), 3, "the document store does not exist"),
    (
        ("--store", f"mongodb://me:{SECRET}@127.0.0.1:1/x?serverSelectionTimeoutMS=200"),
        3,
        "the document store cannot be used",
    ),
    (("--store", f"postgresql://me:{SECRET}@127.0.0.1:1/x"), 3, "cannot be reached"),
]


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("refused", REFUSED)
def test_refusals(
    laid: Laid,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: tuple[tuple[str, ...], int, str],
) -> None:
    arguments, code, said = refused
    monkeypatch.chdir(tmp_path)
    done = laid.call(*arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    document = checked(laid.call(*arguments, "--format", "json").stdout)
    assert document["exit_code"] == code
    assert SECRET not in done.stdout + done.stderr + json.dumps(document)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_was_never_made_is_not_made(laid: Laid, server: Server) -> None:
    oven = kitchen()
    laid.save(oven)
    empty = server.create()
    done = laid.call("--store", text(empty))
    assert done.returncode == 3, done.stderr
    assert "SQLDocumentStores.create()" in done.stderr
    assert tables(empty) == set()
    server.drop(empty)


@pytest.mark.backends("sqlite")
def test_looking_writes_nothing(laid: Laid, tmp_path: Path) -> None:
    disagreeing(laid)
    files = [Path(str(sa.make_url(each).database)) for each in (laid.rows, laid.store)]
    before = [each.read_bytes() for each in files]
    read_only = f"sqlite:///file:{files[1]}?mode=ro&uri=true"
    for store in (laid.store, read_only):
        done = call("documents", "-c", TOPCHEF, "--url", laid.rows, "--store", store)
        assert done.returncode == 10, done.stderr
    assert [each.read_bytes() for each in files] == before


READ_ONLY = {
    "postgresql": {"options": "-c default_transaction_read_only=on"},
    "mariadb": {"init_command": "SET SESSION TRANSACTION READ ONLY"},
    "mysql": {"init_command": "SET SESSION TRANSACTION READ ONLY"},
}


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_reading_is_enough(laid: Laid, backend_name: str) -> None:
    disagreeing(laid)
    urls = [
        sa.make_url(each).update_query_dict(READ_ONLY[backend_name])
        for each in (laid.rows, laid.store)
    ]
    with (
        closing(SQLDocumentStores(sa.create_engine(urls[1]))) as stores,
        pytest.raises(UnreachableError, match=r"(?i)read.only"),
    ):
        stores["jobs"].put(uuid.uuid4(), 1)
    rows, store = (each.render_as_string(hide_password=False) for each in urls)
    done = call("documents", "-c", TOPCHEF, "--url", rows, "--store", store)
    assert done.returncode == 10, done.stderr
    assert "3 disagree" in done.stdout


@pytest.mark.backends("sqlite")
def test_a_database_that_is_not_there_is_not_made(laid: Laid, tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path / 'no.db'}"
    done = call("documents", "-c", TOPCHEF, "--url", missing, "--store", laid.store)
    assert done.returncode == 3
    assert "the database does not exist" in done.stderr
    assert not (tmp_path / "no.db").exists()


GARDEN = '''"""A project of somebody's: its own table, its own store, and nothing of ours."""

import json
import pathlib
import uuid

import sqlalchemy as sa

HERE = pathlib.Path(__file__).parent


class Files:
    def __init__(self, folder):
        self.folder, self.label = folder, folder.name

    def get_many(self, keys):
        paths = {key: self.folder / f"{key}.json" for key in keys}
        return {key: json.loads(path.read_text()) for key, path in paths.items() if path.exists()}

    def keys(self):
        yield from (uuid.UUID(path.stem) for path in self.folder.glob("*.json"))


class Folder:
    label = "a folder"

    def __getitem__(self, name):
        return Files(HERE / name)

    def close(self):
        (HERE / "closed").touch()


class Beds:
    name = "beds"
    table = sa.table("beds", sa.column("id"), sa.column("plan"))

    def count(self, connection):
        return connection.scalar(sa.select(sa.func.count()).select_from(self.table))

    def page(self, connection, after, size):
        asked = sa.select(self.table).where(self.table.c.id > str(after or "")).limit(size)
        rows = connection.execute(asked.order_by(self.table.c.id))
        return [(uuid.UUID(key), json.loads(plan)) for key, plan in rows]

    def rows(self, connection, keys):
        return {key: plan for key, plan in self.page(connection, None, 100) if key in keys}

    def present(self, connection, keys):
        return set(self.rows(connection, keys))


class Garden:
    resources = (Beds(),)

    def open(self, url):
        assert url == "folder:here"
        return Folder()


GARDEN = Garden()
'''


@pytest.mark.parametrize("env", ["usual", "asynchronous", "outer_transaction"])
def test_a_project_with_documents_of_its_own(project: MakeProject, env: str) -> None:
    settings = "documents = garden_documents:GARDEN"
    if env == "asynchronous":
        settings += "\ndrivers = sqlite = aiosqlite"
    garden = project("linear", env=env, settings=settings)
    garden.write("garden_documents.py", GARDEN)
    (garden.root / "beds").mkdir()
    keys = [str(uuid.UUID(int=number)) for number in (1, 2)]
    engine = sa.create_engine(garden.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE beds (id TEXT, plan TEXT)")
        for key in keys:
            connection.exec_driver_sql("INSERT INTO beds VALUES (?, '[1]')", (key,))
    engine.dispose()
    garden.write(f"beds/{keys[0]}.json", "[1, 2]")
    garden.write(f"beds/{uuid.UUID(int=3)}.json", "[]")
    report = documents(garden.here(), "folder:here")
    assert [(each.rule, each.object, each.path) for each in report.findings] == [
        ("document-different", f"beds {keys[0]}", "$[1]"),
        ("document-missing", f"beds {keys[1]}", "$"),
        ("document-extra", f"beds {uuid.UUID(int=3)}", "$"),
    ]
    assert report.data["store"] == "a folder"
    assert (garden.root / "closed").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("", "does not say which of its resources have documents"),
        ("documents = nowhere:X", "cannot be imported"),
        ("documents = json:loads", "needs resources and open()"),
        ("document = a:b", "unknown setting"),
    ],
)
def test_a_project_that_says_it_wrongly(project: MakeProject, setting: str, said: str) -> None:
    garden = project("linear", settings=setting)
    sa.create_engine(garden.url).connect().close()
    garden.file.touch()
    done = garden.call("documents", "--url", garden.url, "--store", "sqlite:///x.db")
    assert done.returncode == 2
    assert said in done.stderr


def test_a_project_with_several_databases_is_refused(project: MakeProject) -> None:
    garden = project("linear", env="tenants", settings="documents = garden_documents:GARDEN")
    garden.write("garden_documents.py", GARDEN)
    garden.file.touch()
    done = garden.call("documents", "--url", garden.url, "--store", "folder:here")
    assert done.returncode == 2
    assert "env.py migrates several databases" in done.stderr
    assert not (garden.root / "closed").exists()


def test_a_finding_of_one_check_is_not_of_another() -> None:
    from topchef_schema.formats.junit import render
    from topchef_schema.model import Check, Outcome, Severity

    checks = tuple(Check(name, Outcome.FAILED) for name in ("one", "two"))
    found = Finding("rule", Severity.ERROR, "words", check="two")
    suite = ElementTree.fromstring(render(Report("documents", checks=checks, findings=(found,))))
    assert [case.find("failure").get("message") for case in suite] == ["failed", "words"]  # type: ignore[union-attr]
