"""Revisions are generated for all backends together, run on each, and import nothing of ours."""

from __future__ import annotations

import ast

import pytest

from tests.servers import Servers
from tests.whole_projects import MakeProject, Whole, revision, text
from topchef_schema import downgrade, roundtrip, status, upgrade
from topchef_schema import revision as generate
from topchef_schema.errors import HistoryError, MigrationError, UsageError
from topchef_schema.model import Report


def file_of(whole: Whole, report: Report) -> str:
    (written,) = report.data["revisions"]
    return (whole.root / str(written["path"])).read_text(encoding="utf-8")


def change_models(whole: Whole, old: str, new: str) -> None:
    path = whole.root / "garden_models.py"
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))


def test_for_all_backends_together(project: MakeProject, servers: Servers) -> None:
    garden = project("modelled")
    on = [text(servers[name]) for name in servers]
    report = generate(garden.load(), "beds and plants", on=on)

    content = file_of(garden, report)
    tree = ast.parse(content)
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported <= {"collections.abc", "sqlalchemy", "alembic", "sqlalchemy.dialects"}
    assert "Coordinates" not in content
    assert 'mysql.VARCHAR(length=60, charset="ascii")' in content
    assert content.count("create_table(") == content.count("create_index(") == 2  # once for all

    # What is written runs up, down and up; PostgreSQL's enum is the known exception.
    proof = roundtrip(garden.load(), on=on)
    assert {(each.backend, each.object) for each in proof.findings} <= {
        ("postgresql", "enum public.plant_kind")
    }
    again = generate(garden.load(), "nothing", on=on)
    assert again.data == {"revisions": []}
    assert "agree" in str(again.summary)
    assert len(list(garden.versions.glob("*.py"))) == 1


def test_one_table_for_all_backends_together(project: MakeProject, servers: Servers) -> None:
    garden = project("modelled")
    garden.write(
        "garden_models.py",
        """\
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

metadata = sa.MetaData()
sa.Table(
    "visits",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("notes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")),
    sa.Column("tags", sa.Text().with_variant(postgresql.ARRAY(sa.Text), "postgresql")),
    sa.Column("at", mysql.DATETIME(fsp=6).with_variant(sa.DateTime, "postgresql", "sqlite")),
    sa.Column("open", sa.Boolean, server_default=sa.true()),
    sa.Column("written", sa.DateTime, server_default=sa.func.now()),
)
""",
    )
    on = [text(servers[name]) for name in servers]
    content = file_of(garden, generate(garden.load(), "visits", on=on))
    assert "backend" not in content
    assert content.count("op.create_table(") == 1
    assert 'sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postg' in content
    assert "server_default=sa.func.now()" in content

    assert roundtrip(garden.load(), on=on).findings == ()
    assert generate(garden.load(), "nothing", on=on).data == {"revisions": []}


def test_second_revision(project: MakeProject) -> None:
    garden = project("modelled")
    on = ["sqlite"]
    first = generate(garden.load(), "first", on=on, rev_id="f1f1")
    assert first.data["revisions"][0]["path"] == "alembic/versions/f1f1_first.py"
    change_models(
        garden,
        'index=True),\n    sa.Column("place"',
        'index=True),\n    sa.Column("size", sa.Integer),\n    sa.Column("place"',
    )
    second = generate(garden.load(), "second", on=on)
    assert second.data["revisions"][0]["down_revisions"] == ["f1f1"]
    content = file_of(garden, second)
    assert 'sa.Column("size", sa.Integer(), nullable=True)' in content
    assert "create_table" not in content
    assert roundtrip(garden.load(), on=on).exit_code() == 0
    assert upgrade(garden.here()).exit_code() == 0
    assert downgrade(garden.here(), "base").data["current"] == []


@pytest.mark.parametrize(
    "message",
    [
        'quotes \' " and """ three',
        "percent % %s %(x)s",
        "line\nbreak */ -- comment",
        "back\\slash \\",
        "naïve café \U0001f512",
        "$HOME `id` ${x}",
        "",
    ],
)
def test_any_message(project: MakeProject, message: str) -> None:
    shop = project("linear")
    written = generate(shop.load(), message, empty=True)
    loaded = shop.load().revisions
    head = loaded.one("head")
    assert head.id == written.data["revisions"][0]["revision"]
    if message.strip() and "\n" not in message:
        assert head.message == message.strip()
    assert upgrade(shop.here()).data["current"] == [head.id]


def test_empty_revision_with_everything(project: MakeProject) -> None:
    shop = project("linear")
    made = generate(
        shop.load(),
        "aside",
        empty=True,
        head="aa10",
        splice=True,
        rev_id="dd40",
        branch_label="side",
        depends_on=["bb20"],
    )
    (row,) = made.data["revisions"]
    assert (row["down_revisions"], row["depends_on"], row["labels"]) == (
        ["aa10"],
        ["bb20"],
        ["side"],
    )
    assert shop.load().revisions.heads == ("cc30", "dd40")
    with pytest.raises(HistoryError, match="several heads: cc30, dd40") as caught:
        generate(shop.load(), "which", empty=True)
    assert "--head" in caught.value.hint
    on_side = generate(shop.load(), "on it", empty=True, head="side@head")
    assert on_side.data["revisions"][0]["down_revisions"] == ["dd40"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"head": "aa10"}, "not a head"),
        ({"head": "zz"}, "zz"),
        ({"rev_id": "cc30"}, "cc30"),
        ({"rev_id": "a+b"}, "a+b"),
        ({"rev_id": "../outside"}, "../outside"),
        ({"depends_on": ["zz"]}, "zz"),
    ],
)
def test_what_cannot_be_written(
    project: MakeProject, options: dict[str, object], words: str
) -> None:
    shop = project("linear")
    before = sorted(shop.root.rglob("*"))
    with pytest.raises(UsageError) as caught:
        generate(shop.load(), "no", empty=True, **options)
    assert words in caught.value.message
    after = [each for each in sorted(shop.root.rglob("*")) if "__pycache__" not in each.parts]
    assert after == [each for each in before if "__pycache__" not in each.parts]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (None, "script.py.mako"),
        ("def (", "syntax error"),
    ],
)
def test_template_that_does_not_work(
    project: MakeProject, template: str | None, words: str
) -> None:
    shop = project("linear")
    mako = shop.root / "alembic" / "script.py.mako"
    if template is None:
        mako.unlink()
    else:
        mako.write_text(template)
    with pytest.raises(UsageError) as caught:
        generate(shop.load(), "no", empty=True)
    assert words in f"{caught.value.message} {caught.value.where}"
    assert len(list(shop.versions.glob("*.py"))) == 3


def test_label_that_is_taken(project: MakeProject) -> None:
    shop = project("branched")
    with pytest.raises(UsageError, match="billing"):
        generate(shop.load(), "no", empty=True, head="c1c1", branch_label="billing")
    assert len(list(shop.versions.glob("*.py"))) == 4


def test_without_metadata(project: MakeProject) -> None:
    shop = project("linear")
    with pytest.raises(UsageError, match="no model metadata") as caught:
        generate(shop.load(), "no", on=["sqlite"])
    assert "target_metadata" in caught.value.hint
    assert "metadata = module:attribute" in caught.value.hint


def test_metadata_of_the_settings(project: MakeProject) -> None:
    garden = project("modelled", settings="metadata = garden_models:metadata")
    env = (garden.root / "alembic" / "env.py").read_text()
    models = "from garden_models import metadata as target_metadata"
    garden.write("alembic/env.py", env.replace(models, "target_metadata = None"))
    assert "create_table" in file_of(garden, generate(garden.load(), "x", on=["sqlite"]))


def test_revisions_that_do_not_run(project: MakeProject) -> None:
    bad = revision("aaaa", 'op.execute("INSERT INTO nowhere VALUES (1)")')
    garden = project("modelled", versions={"a.py": bad})
    with pytest.raises(MigrationError, match="nowhere") as caught:
        generate(garden.load(), "x", on=["sqlite"])
    assert caught.value.where == f"alembic/versions/a.py:{garden.line('aaaa', 'nowhere')}"


def test_hook_that_wants_no_revision(project: MakeProject) -> None:
    garden = project("modelled")
    env = (garden.root / "alembic" / "env.py").read_text()
    hook = "process_revision_directives=lambda context, heads, found: found.clear(), "
    garden.write(
        "alembic/env.py", env.replace("connection=connection", hook + "connection=connection")
    )
    assert generate(garden.load(), "x", on=["sqlite"]).data == {"revisions": []}


def test_filters_of_the_environment_count(project: MakeProject) -> None:
    garden = project("modelled")
    env = (garden.root / "alembic" / "env.py").read_text()
    only = "include_name=lambda name, kind, parents: kind != 'table' or name == 'beds', "
    objects = "include_object=lambda o, name, kind, r, c: kind != 'table' or name == 'beds', "
    garden.write(
        "alembic/env.py",
        env.replace("connection=connection", only + objects + "connection=connection"),
    )
    content = file_of(garden, generate(garden.load(), "x", on=["sqlite"]))
    assert '"beds"' in content
    assert '"plants"' not in content


def test_the_database_of_the_project_is_not_looked_at(project: MakeProject) -> None:
    garden = project("modelled", ini="sqlalchemy.url = sqlite:///app.db")
    generate(garden.load(), "x")
    assert not garden.file.exists()
    assert len(status(garden.here()).data["pending"]) == 1
