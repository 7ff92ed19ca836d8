"""Where the project and its database come from, and that no password is ever shown."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.documents_of_reports import checked
from tests.whole_projects import (
    ALEMBIC,
    MakeProject,
    call,
    execute,
    query,
    reads_toml,
    tables,
)
from topchef_schema import upgrade
from topchef_schema.errors import UnreachableError, UsageError
from topchef_schema.project import URL_VARIABLE, Project, packaged_config, parse_url

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

PASSWORD = "p%a@s:s/w#o?r d[1]"
"""Everything that means something in a URL."""


def source(project: Project) -> str | None:
    return project.environment.url.source if project.environment.url else None


def test_precedence(project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = project(
        "linear", ini="sqlalchemy.url = sqlite:///ini.db", settings="default_url = sqlite:///d.db"
    )
    shop.write("url.txt", "  sqlite:///file.db\n")
    monkeypatch.setenv(URL_VARIABLE, "sqlite:///variable.db")
    monkeypatch.setenv("SHOP", "sqlite:///named.db")
    found = {
        "url": shop.load(url="sqlite:///given.db"),
        "env": shop.load(url_env="SHOP"),
        "file": shop.load(url_file="url.txt"),
        "variable": shop.load(),
    }
    monkeypatch.delenv(URL_VARIABLE)
    found["ini"] = shop.load()
    ini = (shop.root / "alembic.ini").read_text()
    shop.write("alembic.ini", ini.replace("sqlite:///ini.db", ""))
    found["default"] = shop.load()
    shop.write("alembic.ini", ini.replace("sqlite:///ini.db", "driver://user:pass@host/db"))
    found["placeholder"] = shop.load()
    assert {
        name: (each.environment.url and each.environment.url.text, source(each))
        for name, each in found.items()
    } == {
        "url": ("sqlite:///given.db", "--url"),
        "env": ("sqlite:///named.db", "--url-env SHOP"),
        "file": ("sqlite:///file.db", "--url-file url.txt"),
        "variable": ("sqlite:///variable.db", URL_VARIABLE),
        "ini": ("sqlite:///ini.db", f"sqlalchemy.url in {shop.root / 'alembic.ini'}"),
        "default": ("sqlite:///d.db", "default_url of the settings"),
        "placeholder": ("sqlite:///d.db", "default_url of the settings"),
    }


def test_an_env_py_beside_the_ini_file(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Flask-Migrate lays it out: all in one folder, and started from the one above."""
    shop = project("linear", env="application")
    (shop.root / "alembic").rename(shop.root / "migrations")
    shop.write("migrations/alembic.ini", "[alembic]\n[topchef]\nurl_env = SHOP_DATABASE\n")
    (shop.root / "alembic.ini").unlink()
    monkeypatch.chdir(shop.root)
    done = shop.call("-c", "migrations/alembic.ini", "upgrade", "--url", shop.url)
    assert done.returncode == 0, done.stderr
    assert "books" in tables(shop.url)
    nobody = shop.call("-c", "migrations/alembic.ini", "-n", "nobody", "status")
    assert (nobody.returncode, "script_location" in nobody.stderr) == (2, True)


def test_nothing_names_a_database(project: MakeProject) -> None:
    assert source(project("linear").load()) is None


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"url": "sqlite://", "url_env": "X"}, UsageError, "more than once"),
        ({"url_env": "SHOP_THAT_IS_NOT_SET"}, UsageError, "SHOP_THAT_IS_NOT_SET"),
        ({"url_file": "nowhere.txt"}, UnreachableError, "No such file"),
        ({"url_file": "empty.txt"}, UsageError, "empty"),
        ({"url_file": "."}, UnreachableError, "directory"),
        ({"section": "nobody"}, UsageError, "script_location|nobody"),
    ],
)
def test_what_names_no_database(
    project: MakeProject, options: dict[str, str], kind: type[Exception], words: str
) -> None:
    shop = project("linear")
    shop.write("empty.txt", " \n")
    with pytest.raises(kind, match=words):
        shop.load(**options).revisions  # noqa: B018


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "://hunter2@host",
        "postgresql://user:hunter2@host:port/db",
        "nosuch://user:hunter2@host/db",
        "postgresql+nosuch://user:hunter2@host/db",
        "postgresql://user:hunter2@127.0.0.1:1/db",
        "mysql://user:hunter2@127.0.0.1:1/db",
        "mariadb://user:hunter2@127.0.0.1:1/db",
        "sqlite:////no/such/folder/hunter2.db?password=hunter2",
        "mssql://user:hunter2@host/db",
        "postgresql://user:hunter2@host/db?options=%zz",
    ],
)
@pytest.mark.parametrize("way", ["--url", "--url-env", "ini"])
def test_no_failure_shows_the_secret(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch, url: str, way: str
) -> None:
    escaped = url.replace("%", "%%")
    project("linear", ini=f"sqlalchemy.url = {escaped}" if way == "ini" else "")
    monkeypatch.setenv("SHOP", url)
    named = {"--url": ("--url", url), "--url-env": ("--url-env", "SHOP"), "ini": ()}[way]
    for command in (("upgrade",), ("status", "-v"), ("upgrade", "--format", "json")):
        done = call(*command, *named)
        printed = done.stdout + done.stderr
        # A SQLite file that is not there yet has a status.
        assert done.returncode in ((2, 3, 0) if command[0] == "status" else (2, 3)), printed
        assert "hunter2" not in printed.replace("folder/hunter2.db", "")
        assert "Traceback" not in printed
        if "json" in command:
            error = checked(done.stdout)["error"]
            assert error["where"]


@pytest.mark.fact(7)
def test_percent_in_the_ini_file(project: MakeProject) -> None:
    """An undoubled percent sign is the classic: the message must not repeat the line."""
    shop = project("linear", ini="sqlalchemy.url = postgresql://user:hunter%40two@host/db")
    for command in ("upgrade", "status", "roundtrip"):
        done = shop.call(command)
        assert done.returncode == 2
        assert "hunter" not in done.stdout + done.stderr
        assert '"%%"' in done.stderr


def test_broken_ini_does_not_show_its_lines(project: MakeProject) -> None:
    shop = project("linear")
    shop.write("alembic.ini", "[alembic]\nscript_location = .\nhunter2\n= x\n")
    done = shop.call("heads")
    assert done.returncode == 2
    assert "hunter2" not in done.stderr
    assert "alembic.ini" in done.stderr


def test_repr_and_pickle_keep_the_secret(project: MakeProject) -> None:
    loaded = project("linear").load(url="postgresql://user:hunter2@host/db")
    assert "hunter2" not in repr(loaded)
    assert loaded.revisions.heads == ("cc30",)
    again = pickle.loads(pickle.dumps(loaded))
    assert again == loaded
    assert again.revisions.heads == ("cc30",)


@pytest.fixture
def awkward(server: Server, scratch: ScratchDatabase, backend: Backend) -> URL:
    """Return the URL of a scratch database for a user whose password needs escaping."""
    user = scratch.name[-12:]
    quoted = PASSWORD.replace("'", "''")
    if backend.name == "postgresql":
        execute(
            server.url.render_as_string(hide_password=False),
            f"CREATE ROLE \"u{user}\" LOGIN SUPERUSER PASSWORD '{quoted}'".replace("%", "%%"),
        )
    else:
        for host in ("%%", "localhost"):
            execute(
                server.url.render_as_string(hide_password=False),
                f"CREATE USER 'u{user}'@'{host}' IDENTIFIED BY '{quoted.replace('%', '%%')}'",
                f"GRANT ALL ON `{scratch.name}`.* TO 'u{user}'@'{host}'",
            )
    return scratch.url.set(username=f"u{user}", password=PASSWORD)


@pytest.mark.fact(7)
@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_awkward_password(
    project: MakeProject,
    awkward: URL,
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
    backend_name: str,
) -> None:
    url = awkward.render_as_string(hide_password=False)
    shop = project("linear")
    shop.write("url.txt", url)
    monkeypatch.setenv("SHOP", url)
    ini = shop.write("other.ini", (shop.root / "alembic.ini").read_text())
    escaped = url.replace("%", "%%")
    ini.write_text(ini.read_text().replace("[alembic]", f"[alembic]\nsqlalchemy.url = {escaped}"))
    try:
        printed = ""
        for way in (
            ("upgrade", "aa10", "--url", url),
            ("upgrade", "bb20", "--url-file", "url.txt", "-v"),
            ("upgrade", "--url-env", "SHOP", "--format", "json"),
            ("downgrade", "-1", "-c", "other.ini", "-v"),
            ("history", "--url", url, "--format", "json"),
            ("snapshot", "--url", url, "--format", "json"),
        ):
            done = call(*way)
            assert done.returncode == 0, done.stderr
            printed += done.stdout + done.stderr
        rows = str(query(url, "SELECT * FROM topchef_history"))
        for secret in (PASSWORD, str(awkward.set(username="u")).partition("@")[0], "p%25a"):
            assert secret not in printed + rows
    finally:
        drop_user(server, backend_name, str(awkward.username))


def drop_user(server: Server, backend_name: str, user: str) -> None:
    administrator = server.url.render_as_string(hide_password=False)
    if backend_name == "postgresql":
        database = f"topchef_scratch_{user[1:]}"
        owned = server.url.set(database=database).render_as_string(hide_password=False)
        execute(owned, f'REASSIGN OWNED BY "{user}" TO CURRENT_USER', f'DROP OWNED BY "{user}"')
        execute(administrator, f'DROP ROLE "{user}"')
        return
    for host in ("%%", "localhost"):
        execute(administrator, f"DROP USER '{user}'@'{host}'")


@reads_toml
def test_finding_the_configuration(project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = project("linear")
    assert Project.load().environment.ini == "alembic.ini"
    toml = '[tool.alembic]\nscript_location = "%(here)s/alembic"\n'
    shop.write("pyproject.toml", toml)
    both = Project.load().environment
    assert (both.ini, both.toml) == ("alembic.ini", "pyproject.toml")
    (shop.root / "alembic.ini").unlink()
    alone = Project.load()
    assert (alone.environment.ini, alone.environment.toml) == (None, "pyproject.toml")
    assert alone.revisions.heads == ("cc30",)
    shop.write("pyproject.toml", "[tool.other]\n")
    packaged = Project.load()
    assert packaged.packaged
    assert packaged.environment.ini == str(packaged_config())
    assert source(packaged) == "default_url of the settings"


def test_project_in_pyproject_alone(project: MakeProject) -> None:
    """As `alembic init -t pyproject_async` or `pyproject` writes it, without an alembic.ini."""
    shop = project("linear", env="from_variable")
    (shop.root / "alembic.ini").unlink()
    shop.write(
        "pyproject.toml",
        '[tool.alembic]\nscript_location = "%(here)s/alembic"\n'
        '[tool.topchef]\nurl_env = "SHOP_DATABASE"\n',
    )
    done = call("upgrade", "--url", shop.url)
    if ALEMBIC < (1, 16):
        assert done.returncode == 2
        assert "install Alembic 1.16 or newer" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert "books" in tables(shop.url)
    assert call("-c", "pyproject.toml", "status", "--check", "--url", shop.url).returncode == 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("alembic.ini", None, "no such configuration file"),
        ("alembic.ini", "[alembic", "not a valid ini file"),
        ("alembic.ini", "[alembic]\n", "script_location"),
        ("alembic.ini", "[other]\nx = y\n", "alembic"),
        ("alembic.ini", b"\xff\xfe", "not a valid ini file"),
        (
            "alembic.ini",
            "[alembic]\nscript_location = .\nversion_locations = a b\n"
            "version_path_separator = tab\n",
            "not a valid value for version_path_separator",
        ),
        ("pyproject.toml", "[tool.alembic", "not valid TOML"),
        ("pyproject.toml", "[tool.alembic]\n", "script_location|1.16 or newer"),
    ],
)
def test_configuration_that_cannot_be_read(
    tmp_path: Path, name: str, content: str | bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UsageError, match=words) as caught:
        Project.load(path).revisions  # noqa: B018
    assert name in caught.value.where


def test_section(project: MakeProject) -> None:
    shop = project("linear")
    ini = (shop.root / "alembic.ini").read_text()
    shop.write("alembic.ini", ini.replace("[alembic]", "[shop]\nsqlalchemy.url = sqlite:///s.db"))
    loaded = shop.load(section="shop")
    assert upgrade(loaded).data["current"] == ["cc30"]
    assert "books" in tables("sqlite:///s.db")


def test_working_elsewhere(project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///%(here)s/app.db")
    elsewhere = shop.root.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    done = call("upgrade", "-c", str(shop.root / "alembic.ini"))
    assert done.returncode == 0, done.stderr
    assert "books" in tables(shop.url)
    assert list(elsewhere.iterdir()) == []


def test_url_is_not_repeated() -> None:
    from topchef_schema.model import DatabaseUrl

    with pytest.raises(UsageError) as caught:
        parse_url(DatabaseUrl("hunter2:hunter2", "--url"))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
