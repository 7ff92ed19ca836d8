"""The pytest plugin: round trips as test items, and databases at any revision as fixtures.

pytest loads it at each start, so it imports nothing but pytest until it is asked for something.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from topchef_schema.errors import TopchefError
    from topchef_schema.model import Finding, Report, Severity
    from topchef_schema.project import Project
    from topchef_schema.stages.template import Templates

MARK = "topchef_roundtrip"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; none of them is read from the environment."""
    group = parser.getgroup("topchef", "migrations (topchef-schema)")
    group.addoption(
        "--topchef-roundtrip",
        action="store_true",
        help="prove that every revision goes up, down and up: a test for each, on each backend",
    )
    group.addoption(
        "--topchef-on",
        action="append",
        default=[],
        metavar="BACKEND|URL",
        help="where scratch databases are made (repeatable; default: what the settings say)",
    )
    group.addoption(
        "--topchef-config",
        metavar="FILE",
        help="alembic.ini or pyproject.toml (default: the one in pytest's root folder)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known that selects, or leaves out, the round trips."""
    config.addinivalue_line("markers", f"{MARK}: the round trip of one revision on one backend")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add the round trips, before others select among the items."""
    if session.config.option.topchef_roundtrip:
        found = list(_round_trips(session))
        items.extend(found)
        # So that they are counted.
        report = pytest.CollectReport("topchef", "passed", None, list(found))
        session.ihook.pytest_collectreport(report=report)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses `topchef_backend` once on each backend."""
    name = "topchef_backend"
    chosen = metafunc.definition.iter_markers("parametrize")
    if name in metafunc.fixturenames and not any(name in str(mark.args[:1]) for mark in chosen):
        with _told():
            places = _Settings(metafunc.config).places
        # The name, not the URL: pytest shows parameters, and a URL has a password.
        metafunc.parametrize(name, list(places), scope="session")


@pytest.fixture(scope="session")
def topchef_backend(pytestconfig: pytest.Config) -> str:
    """Return the name of the backend whose turn it is: the test runs once on each.

    One that asks for a database only while it runs gets the first.
    """
    with _told():
        return next(iter(_Settings(pytestconfig).places))


@pytest.fixture
def topchef_database_at(
    topchef_backend: str, _topchef_templates: _OpenTemplates
) -> Iterator[Callable[..., Engine]]:
    """Return ``at(revision="heads")``, which makes a database and returns an engine for it.

    The databases are gone when the test is over.
    """
    with _told():
        templates = _topchef_templates(topchef_backend)
    with ExitStack() as stack:

        def at(revision: str = "heads") -> Engine:
            with _told():
                return stack.enter_context(templates.engine(revision))

        yield at


@pytest.fixture
def topchef_engine(topchef_database_at: Callable[..., Engine]) -> Engine:
    """Return an engine for a database of this test alone, at the newest revision."""
    return topchef_database_at()


@pytest.fixture(scope="session")
def _topchef_templates(pytestconfig: pytest.Config) -> Iterator[_OpenTemplates]:
    with ExitStack() as stack:
        yield _OpenTemplates(pytestconfig, stack)


class _OpenTemplates:
    """Name of a backend → the templates on it, opened when they are first asked for."""

    def __init__(self, config: pytest.Config, stack: ExitStack) -> None:
        self._config = config
        self._stack = stack
        self._open: dict[str, Templates] = {}

    def __call__(self, name: str) -> Templates:
        from topchef_schema.stages import scratch
        from topchef_schema.stages.template import Templates

        if name not in self._open:
            settings = _Settings(self._config)
            place = self._stack.enter_context(scratch.place(settings.places.get(name, name)))
            inner = self._stack.enter_context(ExitStack())
            folder = self._config.invocation_params.dir
            self._open[name] = Templates(settings.project, place, inner, folder)
        return self._open[name]


@contextmanager
def _told() -> Iterator[None]:
    """Fail with what a failure of ours says, in place of a traceback."""
    from topchef_schema.errors import TopchefError

    try:
        yield
    except TopchefError as error:
        text = f"{error.message}\nwhere: {error.where}\n help: {error.hint}"
        pytest.fail(text, pytrace=False)


class _Settings:
    """What the options of pytest and the settings of the project say together."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @cached_property
    def file(self) -> Path:
        """The configuration file; raises `UsageError` where there is none."""
        from topchef_schema.errors import UsageError
        from topchef_schema.project import has_alembic_table

        given = self._config.option.topchef_config
        if given:
            return Path(self._config.invocation_params.dir, given)
        root = self._config.rootpath
        if (root / "alembic.ini").is_file():
            return root / "alembic.ini"
        if has_alembic_table(root / "pyproject.toml"):
            return root / "pyproject.toml"
        raise UsageError(
            "there is no alembic.ini, and no pyproject.toml with [tool.alembic]",
            where=str(root),
            hint="name it: pytest --topchef-config FILE",
        )

    @cached_property
    def project(self) -> Project:
        """The project; raises `UsageError` where it cannot be read."""
        from topchef_schema.project import Project

        return Project.load(self.file)

    @cached_property
    def places(self) -> dict[str, str]:
        """Name → word for ``--on``; the names do not repeat the password of a URL."""
        from topchef_schema.stages.scratch import resolve

        given = self.project.settings.commands.get("roundtrip", {}).get("on", ())
        words = given.replace(",", " ").split() if isinstance(given, str) else given
        found: dict[str, str] = {}
        for word in self._config.option.topchef_on or words or self.project.backends:
            name = resolve(word)[0].name
            again = sum(each.partition("-")[0] == name for each in found)
            found[f"{name}-{again + 1}" if again else name] = word
        return found


def _round_trips(session: pytest.Session) -> Iterator[pytest.Item]:
    """Yield an item for each backend and revision; of a project that cannot be read, only one."""
    from topchef_schema.errors import TopchefError

    settings = _Settings(session.config)
    try:
        revisions, places = settings.project.revisions.all, settings.places
    except TopchefError as error:
        unreadable = RoundTrips.of(session, "topchef", "project", partial(_unreadable, error))
        yield RoundTrip.from_parent(unreadable, name="unreadable")
        return
    file = os.path.relpath(settings.file, session.config.rootpath).replace(os.sep, "/")
    for name, word in places.items():
        backend = RoundTrips.of(session, file, name, partial(_answer, settings, word))
        backend.known = frozenset(each.id for each in revisions)
        for each in revisions:
            title = _one_line(f"{each.id} {each.message}")
            yield RoundTrip.from_parent(backend, name=title, revision=each.id)
        yield RoundTrip.from_parent(backend, name="project")


@dataclass(frozen=True)
class _Proof:
    """The report on one backend, and from which severity on a finding fails.

    *told_by* is the id of the item that made it: of a run that failed, it alone says why.
    """

    report: Report
    fail_on: Severity
    told_by: str


class RoundTrips(pytest.Collector):
    """The round trips on one backend, all proven at once by the first that is run."""

    prove: Callable[[str | None], tuple[Report, Severity]]
    known: frozenset[str] = frozenset()
    _proof: _Proof | None = None

    @classmethod
    def of(cls, session: pytest.Session, file: str, name: str, prove: Any) -> RoundTrips:
        """Return the collector of *name*; the ids of its items begin with *file*."""
        made: RoundTrips = cls.from_parent(session, name=name, nodeid=f"{file}::{name}")
        made.prove = prove
        made.add_marker(MARK)
        if session.config.pluginmanager.hasplugin("xdist"):
            # With --dist loadgroup one worker gets them all, and no other waits for it.
            made.add_marker(pytest.mark.xdist_group(f"topchef-{name}"))
        return made

    def collect(self) -> Sequence[pytest.Item]:
        """Return nothing: the items were made with it."""
        return ()

    def proof(self, item: pytest.Item) -> _Proof:
        """Return the proof; of the processes of pytest-xdist one makes it, and the others wait."""
        if self._proof is None:
            folder = _shared_folder(self.config)
            self._proof = self._made(item) if folder is None else self._shared(folder, item)
        return self._proof

    def _shared(self, folder: Path, item: pytest.Item) -> _Proof:
        from topchef_schema.backends.file_lock import held

        kept = folder / f"topchef-{self.name}.pickle"
        with held(kept.with_suffix(".lock"), "roundtrip", timeout=float("inf")):
            if not kept.exists():
                begun = kept.with_suffix(".partial")
                begun.write_bytes(pickle.dumps(self._made(item)))
                begun.replace(kept)
            proof: _Proof = pickle.loads(kept.read_bytes())
            return proof

    def _made(self, item: pytest.Item) -> _Proof:
        chosen = [each for each in self.session.items if each.parent is self]
        only = getattr(item, "revision", None) if len(chosen) == 1 else None
        return _Proof(*self.prove(only), told_by=item.nodeid)


class RoundTrip(pytest.Item):
    """One revision on one backend; without *revision*, what is wrong with none in particular."""

    def __init__(self, *, revision: str | None = None, **given: Any) -> None:
        super().__init__(**given)
        self.revision = revision

    def runtest(self) -> None:
        """Fail with the text of the findings; skip what was never reached."""
        from topchef_schema.formats.text import render
        from topchef_schema.model import Outcome, Report

        assert isinstance(self.parent, RoundTrips)
        proof = self.parent.proof(self)
        report = proof.report
        if report.error is not None:
            if proof.told_by == self.nodeid:
                pytest.fail(render(Report("roundtrip", error=report.error)), pytrace=False)
            pytest.skip(f"not proven: {report.error.message}")
        findings = [each for each in report.findings if self._is_mine(each)]
        text = render(Report("roundtrip", findings=tuple(findings)))
        checks = [each for each in report.checks if each.revision == self.revision]
        details = ", ".join(filter(None, (each.detail for each in checks)))
        if any(each.severity.rank >= proof.fail_on.rank for each in findings):
            pytest.fail(text, pytrace=False)
        if any(each.outcome is Outcome.FAILED for each in checks):
            pytest.fail(text or details or "failed", pytrace=False)
        if findings:
            self.add_report_section("call", "topchef", text)
        if self.revision is not None and not any(e.outcome is Outcome.PASSED for e in checks):
            pytest.skip(details or "nothing was proven of it")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return what stands above a failure."""
        assert self.parent is not None
        return self.path, None, f"{self.parent.name}: {self.name}"

    def _is_mine(self, finding: Finding) -> bool:
        if self.revision is not None:
            return finding.revision == self.revision
        assert isinstance(self.parent, RoundTrips)
        return finding.revision not in self.parent.known


def _answer(settings: _Settings, on: str, only: str | None) -> tuple[Report, Severity]:
    """Return what ``topchef-db roundtrip`` says, and which severity fails there; never raises."""
    import traceback

    from topchef_schema.commands.options import answer
    from topchef_schema.errors import TopchefError
    from topchef_schema.model import ErrorInfo, Report, Severity

    arguments = ["--config", str(settings.file), "--on", on, "--jobs", "1"]
    if only is not None and "since" not in settings.project.settings.commands.get("roundtrip", {}):
        arguments.append(only)
    try:
        found = answer("roundtrip", arguments)
        return found.report, found.fail_on
    except TopchefError as error:
        return Report("roundtrip", error=ErrorInfo.of(error)), Severity.ERROR
    except Exception as error:
        # Once for the backend, not again for each of its items.
        bug = ErrorInfo(
            type(error).__name__, traceback.format_exc(), "topchef-db", "a bug: please report it", 1
        )
        return Report("roundtrip", error=bug), Severity.ERROR


def _unreadable(error: TopchefError, only: str | None) -> tuple[Report, Severity]:
    from topchef_schema.model import ErrorInfo, Report, Severity

    return Report("roundtrip", error=ErrorInfo.of(error)), Severity.ERROR


def _one_line(text: str) -> str:
    """Return *text* as a part of an item's id, whose parts are separated by two colons."""
    from topchef_schema.model import visible

    return " ".join(visible(text).split()).replace("::", ":")


def _shared_folder(config: pytest.Config) -> Path | None:
    """Return the folder of this run that all processes of pytest-xdist see; None without them."""
    own = config.option.basetemp
    return Path(own).parent if hasattr(config, "workerinput") and own else None
