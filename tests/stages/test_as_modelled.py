"""What Alembic's comparison is blind to is found in the catalogs, on the databases that have it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.whole_projects import MakeProject, revision, text
from topchef_schema import revision as generate
from topchef_schema import roundtrip
from topchef_schema.model import Severity
from topchef_schema.project import Project
from topchef_schema.stages import compare

if TYPE_CHECKING:
    from topchef_schema.backends.base import Server
    from topchef_schema.stages.compare import Lack

MODELS = """\
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = sa.MetaData(naming_convention={{"pk": "pk_%(table_name)s"}})
sa.Table("notes", metadata, sa.Column("id", sa.Integer, primary_key=True), {column}{options})
"""
TABLE = """\
from sqlalchemy.dialects import mysql
op.create_table(
    "notes", sa.Column("id", sa.Integer), {column}, sa.PrimaryKeyConstraint("id", name="pk_notes")
)"""

Make = Callable[..., Project]


@pytest.fixture
def notes(project: MakeProject) -> Make:
    """Return what makes a project whose one table has a column: as revised, and as modelled."""

    def make(revised: str, modelled: str, options: str = "") -> Project:
        whole = project(
            settings="metadata = notes_models:metadata",
            versions={
                "a1.py": revision(
                    "a1", TABLE.format(column=revised), 'op.drop_table("notes")', message="notes"
                )
            },
        )
        whole.write("notes_models.py", MODELS.format(column=modelled, options=options))
        return whole.load()

    return make


def lack(project: Project, server: Server) -> Lack:
    (found,) = compare.lacking(project, [text(server)]).values()
    return found


@pytest.mark.backends("mariadb", "mysql")
@pytest.mark.parametrize(
    ("revised", "modelled"),
    [
        ('sa.Column("x", mysql.LONGTEXT())', 'sa.Column("x", sa.JSON())'),
        ('sa.Column("x", sa.DateTime())', 'sa.Column("x", mysql.DATETIME(fsp=6))'),
    ],
)
def test_other_types_become_operations(
    notes: Make, server: Server, revised: str, modelled: str
) -> None:
    project = notes(revised, modelled)
    found = lack(project, server)
    (change,) = found.operations.upgrades
    assert "alter_column" in change.text
    assert [each.key for each in found.changes] == ["column notes.x"]

    generate(project, "the type", on=[text(server)], rev_id="b2")
    there = Project.load(project.environment.config_file)
    assert roundtrip(there, on=[text(server)]).findings == ()
    assert lack(there, server).changes == ()


WORD, TIME = "sa.String(20)", "sa.DateTime"


@pytest.mark.parametrize(
    ("type_", "revised", "modelled"),
    [
        (WORD, "", ', server_default="it\'s"'),
        (WORD, ', server_default="a:b"', ""),
        (WORD, """, server_default='{"a":1} it\\'s'""", ', server_default="b"'),
        (WORD, ', server_default="50% q"', ', server_default="b"'),
        (WORD, ", server_default=sa.text(\"('a' || ' :k')\")", ', server_default="b"'),
        (WORD, ', nullable=False, server_default="a"', ""),
        (WORD, ', server_default="a", comment="b"', ', server_default="c", comment="b"'),
        (WORD, ', nullable=False, server_default="a"', ', server_default="c"'),
        (TIME, "", ", nullable=False, server_default=sa.func.now()"),
        ("sa.Boolean", ", server_default=sa.true()", ", server_default=sa.false()"),
    ],
)
def test_defaults_are_changed_whatever_env_py_says(
    notes: Make, server: Server, type_: str, revised: str, modelled: str
) -> None:
    columns = [f'sa.Column("x", {type_}{each})' for each in (revised, modelled)]
    project = notes(*columns)
    generate(project, "the default", on=[text(server)], rev_id="b2")
    there = Project.load(project.environment.config_file)
    proof = roundtrip(there, on=[text(server)])
    assert [each for each in proof.findings if each.rule == "downgrade-leaves-trace"] == []
    found = lack(there, server)
    assert found.operations.upgrades == ()
    # MySQL keeps now() as an expression where a table is made with it.
    assert "DEFAULT (now())" in str(found.changes) or found.changes == ()


@pytest.mark.parametrize("modelled", ["", 'sa.Column("x", mysql.LONGTEXT())'])
def test_a_column_of_json_comes_back(
    notes: Make, server: Server, backend_name: str, modelled: str
) -> None:
    if backend_name not in ("mariadb", "mysql"):
        modelled = ""
    project = notes('sa.Column("x", sa.JSON, nullable=False)', modelled)
    generate(project, "no JSON", on=[text(server)], rev_id="b2")
    proof = roundtrip(Project.load(project.environment.config_file), on=[text(server)])
    assert [each for each in proof.findings if each.rule == "downgrade-leaves-trace"] == []


COLUMN = 'sa.Column("x", sa.String(40))'
DOWN, PLAIN = (f', sa.Index("ix_x", {each})' for each in ('sa.text("x DESC")', '"x"'))
UPPER = ', sa.Index("ix_upper", sa.text("(upper(x))"), "x")'


@pytest.mark.parametrize("index", [DOWN, UPPER])
def test_equal_indexes_are_not_made_anew(
    notes: Make, server: Server, backend_name: str, index: str
) -> None:
    if backend_name == "mariadb":
        index = index.replace(UPPER, "")  # it has no expressions in indexes
    found = lack(notes(COLUMN + index, COLUMN, index), server)
    assert found.changes == ()
    assert found.operations.upgrades == ()


@pytest.mark.parametrize(
    ("revised", "modelled"),
    [(DOWN, PLAIN), (PLAIN, DOWN), (DOWN, ""), ("", DOWN + UPPER), (UPPER, "")],
)
def test_indexes_become_what_they_are_in_the_models_and_back(
    notes: Make, server: Server, backend_name: str, revised: str, modelled: str
) -> None:
    if backend_name == "mariadb":
        revised, modelled = revised.replace(UPPER, ""), modelled.replace(UPPER, "")
    project = notes(COLUMN + revised, COLUMN, modelled)
    report = generate(project, "the index", on=[text(server)], rev_id="b2")
    assert report.data["revisions"] or revised == modelled
    there = Project.load(project.environment.config_file)
    assert roundtrip(there, on=[text(server)]).findings == ()
    assert lack(there, server).operations.upgrades == ()


def test_an_index_whose_name_is_cut_is_made_once(notes: Make, server: Server) -> None:
    name = "x" * 60
    column = f'sa.Column("{name}", sa.String(40)'
    project = notes(f"{column})", f"{column}, index=True)")
    models = Path(project.environment.config_file).parent / "notes_models.py"
    names = '"ix": "ix_%(table_name)s_%(column_0_name)s", "pk"'
    models.write_text(models.read_text().replace('"pk"', names))
    generate(project, "the index", on=[text(server)], rev_id="b2")
    (written,) = Path(project.revisions.directory.dir).glob("versions/*b2*.py")
    assert written.read_text().count("create_index(") == 1
    there = Project.load(project.environment.config_file)
    assert roundtrip(there, on=[text(server)]).findings == ()


def test_a_column_that_an_event_adds_is_no_column_of_the_models(
    notes: Make, server: Server
) -> None:
    added = "sa.DDL('ALTER TABLE notes ADD COLUMN more VARCHAR(10)')"
    project = notes('sa.Column("more", sa.String(20))', "")
    models = Path(project.environment.config_file).parent / "notes_models.py"
    event = f'sa.event.listen(metadata.tables["notes"], "after_create", {added})'
    models.write_text(f"{models.read_text()}\n{event}\n")
    (change,) = lack(project, server).changes
    assert change.key.endswith("notes.more")


def test_columns_and_indexes_change_together(notes: Make, server: Server) -> None:
    """In batches where a table is made anew for that, although env.py does not ask for them."""
    project = notes(
        COLUMN + DOWN, 'sa.Column("x", sa.String(50), nullable=False)', ', sa.Index("ix_id", "id")'
    )
    generate(project, "both", on=[text(server)], rev_id="b2")
    there = Project.load(project.environment.config_file)
    assert {each.rule for each in roundtrip(there, on=[text(server)]).findings} <= {"fails-on-rows"}
    assert lack(there, server).operations.upgrades == ()


def said(project: Project, option: str) -> None:
    """Let env.py give *option* to ``configure``."""
    env = Path(project.environment.config_file).parent / "alembic/env.py"
    words = "connection=connection"
    env.write_text(env.read_text().replace(words, f"{words}, {option}"))


@pytest.mark.backends("sqlite")
def test_env_py_that_wants_no_batches_gets_none(notes: Make, server: Server) -> None:
    project = notes(COLUMN, COLUMN.replace("40", "50"))
    (change,) = lack(project, server).operations.upgrades
    assert str(change.within).startswith("with op.batch_alter_table(")
    said(project, "render_as_batch=False")
    (change,) = lack(project, server).operations.upgrades
    assert change.within is None


@pytest.mark.backends("sqlite", "mysql")
@pytest.mark.parametrize("kind", ["index", "column"])
def test_what_env_py_leaves_out_is_left_out(notes: Make, server: Server, kind: str) -> None:
    other = 'sa.Column("x", sa.String(40), server_default="a")'
    project = notes(COLUMN + DOWN, other, UPPER)
    said(project, f"include_object=lambda part, name, of, *_: of != '{kind}'")
    text = str(lack(project, server).operations.upgrades)
    assert ("_index(" in text) == (kind != "index")
    assert ("alter_column(" in text) == (kind != "column")


def test_equal_tables_have_no_differences(notes: Make, server: Server) -> None:
    found = lack(notes('sa.Column("x", sa.Text())', 'sa.Column("x", sa.Text())'), server)
    assert found.changes == ()
    assert found.operations.upgrades == ()


@pytest.mark.backends("sqlite", "postgresql")
def test_what_has_no_operation_is_a_warning(notes: Make, server: Server) -> None:
    check = ', sa.CheckConstraint("x > 0", name="positive")'
    column = 'sa.Column("x", sa.Integer)'
    report = generate(notes(column, column, check), "nothing", on=[text(server)])
    (finding,) = report.findings
    assert finding.rule == "models-differ"
    assert finding.severity is Severity.WARNING
    assert "no operation is generated" in finding.message  # which is not to say there is none
    assert str(finding.object).endswith("notes.positive")
    assert finding.before is None
    assert report.data == {"revisions": []}
    assert "agree" not in str(report.summary)


def test_other_nullability_is_no_other_type(notes: Make, server: Server) -> None:
    found = lack(
        notes('sa.Column("x", sa.JSON)', 'sa.Column("x", sa.JSON, nullable=False)'), server
    )
    (change,) = found.operations.upgrades
    assert "nullable=False" in change.text
    assert "type_=" not in change.text.replace("existing_type=", "")


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("options", [', schema="elsewhere"', ', sa.CheckConstraint("other > 0")'])
def test_models_that_cannot_be_made_alone_have_no_differences(
    notes: Make, server: Server, options: str
) -> None:
    column = 'sa.Column("x", sa.Integer)'
    assert lack(notes(column, column, options), server).changes == ()
