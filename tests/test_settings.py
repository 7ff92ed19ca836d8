"""Every setting is read from ini, toml and ``--settings`` alike, and every mistake is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.documents_of_reports import checked
from tests.whole_projects import MakeProject, tables
from topchef_schema.errors import UsageError
from topchef_schema.project import Project
from topchef_schema.settings import Settings, parse_settings

INI = """\
[alembic]
script_location = .
[topchef]
metadata = shop:metadata
documents = shop:documents
backends = sqlite, postgresql
transaction_per_migration = yes
url_env = SHOP_URL
url_x = url
url_option = shop_url
default_url = sqlite:///%(here)s/shop.db
drivers =
    postgresql = asyncpg
    sqlite = aiosqlite
prepare = shop:prepare
baseline = shop:baseline
bundles = sql/* deploy/first
changed_files = refuse
[topchef.roundtrip]
strict = true
on = sqlite, mariadb
allow =
    data-lost ae10 column items.price : kept elsewhere: at 9:00
    downgrade-fails bb : known
"""

TOML = """\
[tool.alembic]
script_location = "."
[tool.topchef]
metadata = "shop:metadata"
documents = "shop:documents"
backends = ["sqlite", "postgresql"]
transaction_per_migration = true
url_env = "SHOP_URL"
url_x = "url"
url_option = "shop_url"
default_url = "sqlite:///%(here)s/shop.db"
drivers = {postgresql = "asyncpg", sqlite = "aiosqlite"}
prepare = "shop:prepare"
baseline = "shop:baseline"
bundles = ["sql/*", "deploy/first"]
changed_files = "refuse"
[tool.topchef.roundtrip]
strict = true
on = ["sqlite", "mariadb"]
allow = [
    "data-lost ae10 column items.price : kept elsewhere: at 9:00",
    {rule = "downgrade-fails", revision = "bb", reason = "known"},
]
"""


@pytest.mark.parametrize("way", ["ini", "toml", "settings.ini", "settings.toml"])
def test_the_same_from_everywhere(tmp_path: Path, way: str) -> None:
    name, content = ("alembic.ini", INI) if way.endswith("ini") else ("pyproject.toml", TOML)
    options: dict[str, Any] = {}
    if way.startswith("settings"):
        (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = .\n")
        (tmp_path / way).write_text(content.replace("[tool.topchef", "[topchef"))
        name, options = "alembic.ini", {"settings": tmp_path / way}
    else:
        (tmp_path / name).write_text(content)
    found = Project.load(tmp_path / name, **options).settings
    commands = {key: dict(value) for key, value in found.commands.items()}
    assert set(commands) == {"roundtrip"}
    assert str(commands["roundtrip"]["strict"]).lower() == "true"
    assert {name: value for name, value in found._asdict().items() if name != "commands"} == {
        "metadata": "shop:metadata",
        "documents": "shop:documents",
        "backends": ("sqlite", "postgresql"),
        "transaction_per_migration": True,
        "url_env": "SHOP_URL",
        "url_x": "url",
        "url_option": "shop_url",
        "default_url": f"sqlite:///{tmp_path}/shop.db"
        if way.endswith("ini")
        else "sqlite:///%(here)s/shop.db",
        "drivers": {"postgresql": "asyncpg", "sqlite": "aiosqlite"},
        "databases": (),
        "prepare": "shop:prepare",
        "baseline": "shop:baseline",
        "bundles": ("sql/*", "deploy/first"),
        "changed_files": "refuse",
        "allow": found.allow,
    }
    assert [(str(each), each.object, each.reason) for each in found.allow] == [
        ("data-lost ae10 column items.price", "column items.price", "kept elsewhere: at 9:00"),
        ("downgrade-fails bb", None, "known"),
    ]
    default = Project.load(tmp_path / name, **options).environment.url
    assert default is not None
    assert default.text == f"sqlite:///{tmp_path}/shop.db"


@pytest.mark.parametrize(
    ("raw", "message", "hint"),
    [
        ({"backend": "sqlite"}, 'unknown setting "backend"', '"backends"'),
        ({"url-envv": "X"}, 'unknown setting "url-envv"', '"url_env"'),
        ({"qqqqqq": "X"}, 'unknown setting "qqqqqq"', "known: "),
        ({"transaction_per_migration": "perhaps"}, "perhaps", "true or false"),
        ({"changed_files": "ignore"}, "ignore", '"refuse"'),
        ({"drivers": "asyncpg"}, "asyncpg", "postgresql = asyncpg"),
        ({"metadata": 3}, "3", "quotes"),
        ({"backends": 3}, "3", "quotes"),
        ({"roundtrip": {"allow": "data-lost ae10 table items"}}, "table items", ": reason"),
        ({"roundtrip": {"allow": ["data-lost : why"]}}, "data-lost : why", ": reason"),
        ({"roundtrip": {"allow": [{"rule": "data-lost", "why": "x"}]}}, "why", ": reason"),
    ],
)
def test_mistakes(raw: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(raw, where="alembic.ini [topchef]")
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.where.startswith("alembic.ini [topchef]")


def test_hyphens_are_underscores() -> None:
    assert parse_settings({"url-env": "A", "default-url": "b"}, where="x") == Settings(
        url_env="A", default_url="b"
    )


def test_defaults_of_a_command(project: MakeProject) -> None:
    settings = "[topchef.upgrade]\nhistory = false\nformat = json\n"
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db", settings=settings)
    done = shop.call("upgrade", "aa10")
    assert checked(done.stdout)["data"]["current"] == ["aa10"]
    assert "topchef_history" not in tables(shop.url)
    done = shop.call("upgrade", "--history", "--format", "text")
    assert "now at cc30" in done.stdout
    assert "topchef_history" in tables(shop.url)


def test_fail_on_and_flags_of_the_settings(project: MakeProject) -> None:
    settings = "[topchef.status]\ncheck = true\n[topchef.roundtrip]\non = sqlite\nfail-on = info\n"
    shop = project("irreversible", ini="sqlalchemy.url = sqlite:///app.db", settings=settings)
    assert shop.call("status").returncode == 10
    assert shop.call("roundtrip", "b2b2").returncode == 10
    assert shop.call("roundtrip", "b2b2", "--fail-on", "error").returncode == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("[topchef.upgrade]\nhistroy = no\n", '"histroy" is no option of upgrade'),
        ("[topchef.upgrade]\nurl = sqlite:///x.db\n", '"url" is no option of upgrade'),
        ("[topchef.upgrade]\nhistory = perhaps\n", "perhaps"),
        ("[topchef.upgrade]\nformat = klingon\n", "klingon"),
        ("[topchef.upgraed]\nhistory = no\n", '"upgraed"'),
    ],
)
def test_mistakes_in_the_defaults_of_a_command(
    project: MakeProject, settings: str, words: str
) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db", settings=settings)
    done = shop.call("upgrade")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not shop.file.exists()


def test_unknown_setting_on_the_command_line(project: MakeProject) -> None:
    shop = project("linear", settings="ulr_env = X")
    done = shop.call("status", "--format", "json")
    document = checked(done.stdout)
    assert document["error"]["kind"] == "UsageError"
    assert document["error"]["hint"] == 'did you mean "url_env"?'
    assert "[topchef]" in document["error"]["where"]


def test_settings_file_that_is_not_there(project: MakeProject) -> None:
    done = project("linear").call("status", "--settings", "nowhere.toml")
    assert done.returncode == 2
    assert "nowhere.toml" in done.stderr
