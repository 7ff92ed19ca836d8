"""Every way in which an env.py takes its URL and runs its transaction, and what is refused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.whole_projects import LOGGING, MakeProject, execute, query, revision, tables, text
from topchef_schema import roundtrip, status, upgrade
from topchef_schema.errors import MigrationError, UnreachableError, UsageError
from topchef_schema.model import JOURNAL_TABLE

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase


@pytest.mark.backends("postgresql")
def test_asynchronous_environment_with_asyncpg(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    shop = project("linear", env="asynchronous", settings="drivers = postgresql = asyncpg")
    for arguments in (["upgrade"], ["downgrade", "base"]):
        done = shop.program(*arguments, "--url-env", "SHOP", SHOP=text(scratch))
        assert done.returncode == 0, done.stderr
    assert tables(scratch) - {JOURNAL_TABLE} == {"alembic_version", "topchef_history"}
    assert len(query(scratch, "SELECT * FROM topchef_history")) == 6


def test_no_connection_is_handed_to_an_environment_with_an_async_driver(
    project: MakeProject,
) -> None:
    for settings, driver in ("", "pysqlite"), ("drivers = sqlite = aiosqlite", "aiosqlite"):
        shop = project("linear", env="handed_or_asynchronous", settings=settings)
        done = shop.program("upgrade", "--url", shop.url)
        assert done.returncode == 0, done.stderr
        assert set(re.findall("driver: (.*)", done.stderr)) == {driver}


def test_a_driver_that_is_none(project: MakeProject) -> None:
    shop = project("linear", settings="drivers = sqlite = pigeons")
    with pytest.raises(UsageError, match=r"sqlite\+pigeons") as raised:
        upgrade(shop.here())
    assert raised.value.where == "setting drivers"
    assert not shop.file.exists()


@pytest.mark.parametrize("env", ["usual", "from_variable", "from_x", "own_mind"])
def test_the_wrong_database_is_refused(project: MakeProject, env: str) -> None:
    """Wherever env.py goes instead of where it was sent, nothing is written there."""
    shop = project("linear", env=env, ini="sqlalchemy.url = sqlite:///ini.db")
    source = "alembic/env.py"
    content = (shop.root / source).read_text()
    for mine in (
        "config.get_section(config.config_ini_section, {})",
        'os.environ["SHOP_DATABASE"]',
    ):
        their = (
            '{"sqlalchemy.url": "sqlite:///own_mind.db"}'
            if "section" in mine
            else '"sqlite:///own_mind.db"'
        )
        content = content.replace(mine, their)
    content = content.replace('["database"]', '.get("database", "sqlite:///own_mind.db")')
    shop.write(source, content)
    with pytest.raises(UsageError) as caught:
        upgrade(shop.here())
    assert "own_mind.db" in caught.value.message
    assert "app.db" in caught.value.message
    for setting in ("url_env", "url_x", "url_option"):
        assert setting in caught.value.hint
    own = shop.root / "own_mind.db"
    assert not own.exists() or own.stat().st_size == 0


ENDINGS = {
    "nothing": ("", UsageError, "without running any migrations"),
    "no connection": ("context.configure(url='sqlite://')", UsageError, "no connection"),
    "error": ("1 / 0", UsageError, "division by zero"),
    "syntax error": ("def (", UsageError, "syntax"),
    "not installed": ("import nowhere_at_all", UnreachableError, "nowhere_at_all"),
    "key": ("context.config.attributes['shop']", UsageError, "shop"),
    "exit": ("raise SystemExit", UsageError, "ends the program: sys.exit(None)"),
    "exit with success": ("import sys; sys.exit(0)", UsageError, "sys.exit(0)"),
    "exit with a reason": ("import sys; sys.exit('no DSN')", UsageError, "sys.exit('no DSN')"),
}


@pytest.mark.parametrize("case", sorted(ENDINGS))
def test_environments_that_fail(project: MakeProject, case: str) -> None:
    line, kind, words = ENDINGS[case]
    shop = project("linear")
    shop.write("alembic/env.py", f"from alembic import context\n\n{line}\n")
    with pytest.raises(kind) as caught:
        upgrade(shop.here())
    assert words in caught.value.message
    assert caught.value.where.startswith("alembic/env.py")
    assert not shop.file.exists()
    shop.file.touch()
    with pytest.raises(kind, match=re.escape(words)):
        status(shop.here())


CATCHES = """
import sys
from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.get_main_option("sqlalchemy.url")
for attempt in range(2):
    try:
        with create_engine(url, poolclass=pool.NullPool).connect() as connection:
            context.configure(connection=connection)
            with context.begin_transaction():
                context.run_migrations()
        break
    except Exception as error:
        print(error)
else:
    {end}
"""


@pytest.mark.parametrize(
    "end", ["pass", "sys.exit(1)", "sys.exit(0)", "raise RuntimeError('sorry')"]
)
def test_an_environment_that_catches_what_we_raise(project: MakeProject, end: str) -> None:
    bad = revision("dd40", 'op.execute("INSERT INTO nowhere VALUES (1)")', down="cc30")
    shop = project("linear", versions={"d.py": bad})
    shop.write("alembic/env.py", CATCHES.format(end=end))
    with pytest.raises(MigrationError, match="dd40 failed: no such table: nowhere"):
        upgrade(shop.here())
    assert status(shop.here()).data["current"] == ["cc30"]

    shop.write("alembic/env.py", CATCHES.replace("(url", '("sqlite:///else.db"').format(end=end))
    with pytest.raises(UsageError, match=r"connected to sqlite:///else\.db, not"):
        upgrade(shop.here())
    assert not (shop.root / "else.db").read_bytes()


def test_an_environment_that_exits_when_all_is_done(project: MakeProject) -> None:
    shop = project("linear")
    env = (shop.root / "alembic" / "env.py").read_text()
    shop.write("alembic/env.py", f"{env}\nraise SystemExit(0)\n")
    done = shop.call("upgrade", "--url", shop.url)
    assert (done.returncode, status(shop.here()).data["pending"]) == (0, [])
    shop.write("alembic/env.py", f"{env}\nraise SystemExit('too late')\n")
    failed = shop.call("downgrade", "base", "--yes", "--url", shop.url)
    assert failed.returncode == 2
    assert "sys.exit('too late')" in failed.stderr


def test_revisions_that_exit(project: MakeProject) -> None:
    bad = revision("dd40", "raise SystemExit(0)", down="cc30")
    shop = project("linear", versions={"d.py": bad})
    done = shop.call("upgrade", "--url", shop.url)
    assert done.returncode == 5
    assert "the upgrade of revision dd40 failed: it ends the program: sys.exit(0)" in done.stderr
    assert f"alembic/versions/d.py:{shop.line('dd40', 'SystemExit')}" in done.stderr
    found = roundtrip(shop.load(), "dd40", on=["sqlite"]).findings
    assert [each.rule for each in found] == ["upgrade-fails"]

    shop.write("alembic/versions/d.py", "import sys\nsys.exit(0)\n")
    done = shop.call("status", "--url", shop.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be imported" in done.stderr


def test_what_revisions_print_while_they_are_read(project: MakeProject) -> None:
    shop = project("linear")
    shop.versions.joinpath("d.py").write_text(
        'print("\u017c\u00f3\u0142w")\n' + revision("dd40", "pass", down="cc30"), encoding="utf-8"
    )
    done = shop.program("heads", "--format", "json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["data"]["heads"] == ["dd40"], done.stderr
    assert "\\u017c" in done.stderr


def test_loggers_and_stdout_survive_a_noisy_environment(project: MakeProject) -> None:
    body = 'print("the revision says hello on stdout")'
    versions = {"d.py": revision("dd40", body, down="cc30")}
    shop = project("linear", env="noisy", settings=LOGGING, versions=versions)
    done = shop.program("upgrade", "--url", shop.url, "--format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["data"]["current"] == ["dd40"]
    assert "env.py says hello" in done.stderr
    assert "the revision says hello" in done.stderr
    assert "app.db (from --url)" in done.stderr
    assert "4/4 up dd40" in done.stderr


def test_arguments_reach_the_environment(project: MakeProject) -> None:
    body = 'op.create_table(op.get_context().opts["shop"], sa.Column("id", sa.Integer))'
    shop = project(versions={"a.py": revision("a1", body)})
    env = (shop.root / "alembic" / "env.py").read_text()
    given = 'shop=context.get_x_argument(as_dictionary=True)["shop"], connection=connection'
    shop.write("alembic/env.py", env.replace("connection=connection", given))
    upgrade(shop.here(x=["shop=corner"]))
    assert "corner" in tables(shop.url)


def test_keywords_of_run_migrations_reach_the_revision(project: MakeProject) -> None:
    body = 'op.create_table(engine_name, sa.Column("id", sa.Integer))'
    shop = project(
        versions={"a.py": revision("a1", body).replace("upgrade()", "upgrade(engine_name)")}
    )
    env = (shop.root / "alembic" / "env.py").read_text()
    shop.write("alembic/env.py", env.replace("run_migrations()", 'run_migrations(engine_name="x")'))
    upgrade(shop.here())
    assert "x" in tables(shop.url)


def test_transaction_per_migration_of_the_settings(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    good = revision("a1", 'op.create_table("good", sa.Column("id", sa.Integer))')
    bad = revision("b2", 'op.execute("INSERT INTO nowhere VALUES (1)")', down="a1")
    shop = project(
        settings="transaction_per_migration = true", versions={"a.py": good, "b.py": bad}
    )
    with pytest.raises(MigrationError, match="stay done: a1"):
        upgrade(shop.on(scratch))
    assert "good" in tables(scratch)


def test_prepare_is_called_with_the_url(project: MakeProject) -> None:
    shop = project("linear", env="from_option", settings="prepare = shop_setup:prepare")
    shop.write(
        "shop_setup.py",
        'def prepare(config):\n    url = config.get_main_option("sqlalchemy.url")\n'
        '    config.set_main_option("shop_url", url)\n',
    )
    assert upgrade(shop.here()).data["current"] == ["cc30"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("prepare = shop_setup:prepare", "cannot be imported"),
        ("prepare = nonsense", "module:attribute"),
        ("prepare = os:name", "is not a function"),
        ("metadata = shop_setup:metadata", "cannot be imported"),
    ],
)
def test_settings_that_name_nothing(project: MakeProject, setting: str, words: str) -> None:
    shop = project("linear", settings=setting)
    with pytest.raises(UsageError, match=words) as caught:
        upgrade(shop.here())
    assert caught.value.where.startswith("setting ")
    assert not shop.file.exists() or not shop.file.read_bytes()


def test_a_url_in_the_environment_is_left_as_it_was(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setenv("SHOP_DATABASE", "sqlite:///somewhere.db")
    shop = project("linear", env="from_variable", settings="url_env = SHOP_DATABASE")
    upgrade(shop.here())
    assert os.environ["SHOP_DATABASE"] == "sqlite:///somewhere.db"
    assert not (shop.root / "somewhere.db").exists()


def test_hooks_of_the_environment_are_called(project: MakeProject) -> None:
    shop = project("linear")
    env = (shop.root / "alembic" / "env.py").read_text()
    hook = (
        "def heard(ctx, step, heads, run_args):\n"
        '    with open("heard.txt", "a") as file:\n'
        '        file.write(f"{step.up_revision_id} {sorted(heads)}\\n")\n\n'
    )
    env = env.replace("connection=connection", "connection=connection, on_version_apply=heard")
    shop.write(
        "alembic/env.py", env.replace("config = context.config", hook + "config = context.config")
    )
    upgrade(shop.here())
    assert (shop.root / "heard.txt").read_text().splitlines() == [
        "aa10 ['aa10']",
        "bb20 ['bb20']",
        "cc30 ['cc30']",
    ]


def test_what_the_environment_writes_stays(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    execute(scratch, "CREATE TABLE mine (id INTEGER)")
    env = (shop.root / "alembic" / "env.py").read_text()
    before = (
        "connection.exec_driver_sql('INSERT INTO mine VALUES (1)'); connection.commit()\n        "
    )
    shop.write(
        "alembic/env.py",
        env.replace("context.configure(connection=", before + "context.configure(connection="),
    )
    upgrade(shop.on(scratch))
    # Once for the first look, once for the work.
    assert len(query(scratch, "SELECT id FROM mine")) == 2


@pytest.mark.parametrize("given", ["variable", "-x", "both"])
def test_what_env_py_is_given_comes_before_the_ini_file(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """An ini file often holds a URL of old that env.py no longer reads."""
    env = "from_variable" if given == "variable" else "from_x"
    settings = "url_env = SHOP_DATABASE\nurl_x = database"
    shop = project("linear", env=env, ini="sqlalchemy.url = sqlite:///old.db", settings=settings)
    x = ["-x", "database=sqlite:///real.db"] if given != "variable" else []
    if given != "-x":
        monkeypatch.setenv("SHOP_DATABASE", "sqlite:///real.db" if not x else "sqlite:///else.db")
    done = shop.call(*x, "upgrade")
    assert done.returncode == 0, done.stderr
    assert "database: sqlite:///real.db (from " in done.stderr
    assert "books" in tables("sqlite:///real.db")
    assert not {"old.db", "else.db"} & {path.name for path in shop.root.iterdir()}


def test_a_variable_in_words_of_the_application(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some hosts still write `postgres://`: env.py knows what it means."""
    shop = project("linear", env="from_variable", settings="url_env = SHOP_DATABASE")
    env = (shop.root / "alembic" / "env.py").read_text()
    mine = 'os.environ["SHOP_DATABASE"]'
    shop.write("alembic/env.py", env.replace(mine, f'{mine}.replace("lite:", "sqlite:")'))
    monkeypatch.setenv("SHOP_DATABASE", "lite:///real.db")
    done = shop.call("upgrade")
    assert done.returncode == 0, done.stderr
    assert "database: sqlite:///real.db (from env.py)" in done.stderr


def test_a_prepare_that_fails(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear", settings="prepare = shop_setup:prepare")
    raises = 'raise LookupError("no shop at " + config.get_main_option("sqlalchemy.url"))'
    shop.write("shop_setup.py", f"def prepare(config):\n    {raises}\n")
    with pytest.raises(UsageError, match="fails: LookupError: no shop at ") as caught:
        upgrade(shop.on(scratch))
    assert caught.value.where == "setting prepare"
    assert str(scratch.url.password or "nothing secret") not in str(caught.value)


def test_what_programs_print_that_a_project_starts(project: MakeProject) -> None:
    says = 'import subprocess, sys; subprocess.run([sys.executable, "-c", "print(\'a child\')"])\n'
    shop = project("linear", versions={"d.py": says + revision("dd40", "pass", down="cc30")})
    env = (shop.root / "alembic" / "env.py").read_text()
    shop.write("alembic/env.py", says + env)
    for command in ("upgrade", "status", "roundtrip"):
        place = ("--on", "sqlite") if command == "roundtrip" else ("--url", shop.url)
        done = shop.program(command, *place, "--format", "json")
        assert json.loads(done.stdout)["exit_code"] == 0, done.stderr
        assert "a child" in done.stderr


def test_what_hooks_print_that_follow_a_new_revision(project: MakeProject) -> None:
    shop = project("linear")
    ini = (shop.root / "alembic.ini").read_text()
    hooks = "[post_write_hooks]\nhooks = say\nsay.type = exec\nsay.executable = echo\n"
    shop.write("alembic.ini", f"{ini}\n{hooks}say.options = formatted\n")
    done = shop.program("revision", "--empty", "-m", "words", "--format", "json")
    assert json.loads(done.stdout)["exit_code"] == 0, done.stderr
    assert "formatted" in done.stderr
