"""What every test may ask for: servers, scratch databases, golden files, the seed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from pytest_postgresql import factories

from tests import golden_files, whole_projects
from tests.servers import BACKENDS, Servers
from topchef_schema.backends import named
from topchef_schema.backends.base import scratch_name

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

# Tests write a revision file anew within the second and the size by which Python knows it again.
sys.dont_write_bytecode = True
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

SERVERS = pytest.StashKey[Servers]()
VERSIONS = pytest.StashKey[dict[str, str]]()
UNREFERENCED = pytest.StashKey[list[str]]()

project = whole_projects.project


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("topchef")
    group.addoption(
        "--only",
        action="append",
        choices=BACKENDS,
        default=[],
        help="test on this backend (repeatable; default: all; one that is missing is a failure)",
    )
    group.addoption(
        "--exhaustive", action="store_true", help="run whole sweeps instead of samples of them"
    )
    group.addoption(
        "--sparser", type=int, default=1, metavar="N", help="run one in N times as many cases"
    )
    group.addoption("--seed", type=int, help="seed of samples and examples (default: by commit)")
    group.addoption("--update", action="store_true", help="rewrite the golden files")


def commit_seed() -> int:
    """Return a seed that stays the same for one commit, so that a gate can be run again."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=8", "HEAD"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(output, 16)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "backends(*names): the backends that this test's `backend_name` runs over"
    )
    config.addinivalue_line(
        "markers",
        "fact(*numbers): shows that a failure in tests/test_known_failures.py is not ours",
    )
    config.addinivalue_line(
        "markers", "whole_run: too slow, or of no use, for a run that `--only` narrows down"
    )
    config.addinivalue_line(
        "markers", "sampled: takes long; few of its cases run without `--exhaustive`"
    )
    if config.option.seed is None:
        config.option.seed = commit_seed()
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(config.option.seed)
    config.stash[SERVERS] = Servers(selected(config))
    config.stash[VERSIONS] = {}
    config.stash[golden_files.USED] = set()
    config.stash[UNREFERENCED] = []
    examples = 1000 if config.option.exhaustive else 25
    hypothesis.settings.register_profile(
        "topchef", database=None, deadline=None, max_examples=examples, print_blob=False
    )
    hypothesis.settings.load_profile("topchef")


def selected(config: pytest.Config) -> tuple[str, ...]:
    """Return the backends to test on, in their usual order."""
    only = config.option.only
    return tuple(name for name in BACKENDS if not only or name in only)


def pytest_report_header(config: pytest.Config) -> str:
    extent = "exhaustive" if config.option.exhaustive else "sampled"
    if config.option.sparser > 1:
        extent += f", --sparser {config.option.sparser}"
    return (
        f"topchef: {extent}, --seed {config.option.seed}, backends: {', '.join(selected(config))}"
    )


SHARES = {
    "sampled": 18,
    "stages": 9,
    "bridge": 8,
    "shortcut": 7,
    "commands": 5,
    "database": 5,
    "backends": 4,
    "revisions": 4,
}
"""Of what is marked so, or lies in that folder, one in so many cases of a test is run.

One of them at least; all with ``--exhaustive``. On a slow machine, see `machine`, the gate has 20
minutes, too: there it takes half of these or fewer, and of some tests none.
"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.option.exhaustive:
        rng = random.Random(config.option.seed)
        left_out = unsampled(items, rng, sparser=config.option.sparser)
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [each for each in items if each not in gone]
    if config.option.only:
        for item in items:
            if item.get_closest_marker("whole_run"):
                item.add_marker(pytest.mark.skip(reason="left out by --only"))


def unsampled(items: list[pytest.Item], rng: random.Random, *, sparser: int) -> list[pytest.Item]:
    """Return the cases of sampled tests that are not run this time."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = []
    for each in cases.values():
        share = SHARES["sampled"] if each[0].get_closest_marker("sampled") else 1
        share = max(share, SHARES.get(each[0].path.parent.name, 1))
        if share > 1:
            few = -(-len(each) // share) / sparser
            kept = rng.sample(each, int(few) + (rng.random() < few % 1))
            left_out += [item for item in each if item not in kept]
    return left_out


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend_name" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("backends")
    names = [n for n in selected(metafunc.config) if mark is None or n in mark.args]
    metafunc.parametrize("backend_name", names, scope="session")


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """Backend name → open server, opened at the first use and closed with the session."""
    opened = request.config.stash[SERVERS]
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def private_servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """Backend name → throwaway server that no other worker shares.

    For tests that look at, or clean, all the databases of a server.
    """
    opened = Servers(selected(request.config), private=True)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def backend(backend_name: str) -> Backend:
    """Return the backend whose turn it is."""
    return named(backend_name)


@pytest.fixture
def server(servers: Servers, backend_name: str) -> Server:
    """Return the open server of the backend whose turn it is.

    A test file that must not share it defines ``server`` as ``private_server``: `scratch` follows.
    """
    return servers[backend_name]


@pytest.fixture
def private_server(private_servers: Servers, backend_name: str) -> Server:
    """Return a throwaway server of the backend whose turn it is that no other worker shares."""
    return private_servers[backend_name]


@pytest.fixture
def scratch(server: Server) -> Iterator[ScratchDatabase]:
    """Make an empty scratch database of the backend whose turn it is, dropped afterwards."""
    database = server.create()
    try:
        yield database
    finally:
        server.drop(database)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> golden_files.Golden:
    """Return ``golden(name, text)``, which compares *text* with ``tests/golden/<name>``."""
    config = request.config
    return golden_files.Golden(config.stash[golden_files.USED], update=config.option.update)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Return a generator seeded by ``--seed`` and the test's name, for samples of a sweep."""
    return random.Random(f"{request.config.option.seed} {request.node.nodeid}")


@pytest.fixture(scope="session")
def exhaustive(request: pytest.FixtureRequest) -> bool:
    """Say whether whole sweeps are wanted (``--exhaustive``)."""
    return bool(request.config.option.exhaustive)


@pytest.fixture(scope="session")
def postgresql_server(servers: Servers) -> SimpleNamespace:
    """Describe the session's PostgreSQL server in the words of pytest-postgresql."""
    url = servers["postgresql"].url
    return SimpleNamespace(
        host=url.host or url.query.get("host"),
        port=int(url.port or str(url.query.get("port", 5432))),
        user=url.username,
        password=url.password,
        options="",
        maintenance_dbname=url.database or "postgres",
        template_dbname=None,
    )


# pytest-postgresql's own fixtures, on the server of this session. Its `postgresql_proc` refuses
# to run as root; the product's throwaway server does not.
postgresql_noproc = factories.postgresql_noproc(
    depends_on="postgresql_server", dbname=scratch_name()
)
postgresql = factories.postgresql("postgresql_noproc")


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    used = config.stash[golden_files.USED]
    output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if output is not None:
        output["versions"] = config.stash[SERVERS].versions
        output["golden"] = sorted(used)
        return
    config.stash[VERSIONS].update(config.stash[SERVERS].versions)
    if whole(session):
        strangers = golden_files.unreferenced(used)
        if config.option.update:
            for name in strangers:
                (golden_files.FOLDER / name).unlink()
        elif strangers:
            config.stash[UNREFERENCED] = strangers
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def whole(session: pytest.Session) -> bool:
    """Say whether every test ran and passed, so that a golden file nobody read is a leftover."""
    config = session.config
    return (
        session.exitstatus == pytest.ExitCode.OK
        and config.args_source is not pytest.Config.ArgsSource.ARGS
        and not any((config.option.keyword, config.option.markexpr, config.option.only))
        and config.option.sparser == 1
        and not any(getattr(config.option, name, None) for name in ("lf", "deselect", "stepwise"))
    )


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist opened and read."""
    output: dict[str, Any] = getattr(node, "workeroutput", {})
    node.config.stash[VERSIONS].update(output.get("versions", {}))
    node.config.stash[golden_files.USED].update(output.get("golden", ()))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.stash[UNREFERENCED]:
        terminalreporter.section("golden files that no test reads", red=True)
        for name in config.stash[UNREFERENCED]:
            terminalreporter.line(f"tests/golden/{name}")
        terminalreporter.line("help: delete them, or run all tests with --update")
    for name in BACKENDS:
        if name in config.stash[VERSIONS]:
            terminalreporter.line(f"server used: {name}: {config.stash[VERSIONS][name]}")
