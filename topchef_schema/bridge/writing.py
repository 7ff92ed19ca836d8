"""Writes new revision files through the project's own template."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.bridge.configuration import alembic_config, output_to_stderr, toml_file
from topchef_schema.bridge.explaining import explained, readable, shown_path
from topchef_schema.bridge.revisions import revision_of
from topchef_schema.errors import UsageError
from topchef_schema.model import Environment, Revision

if TYPE_CHECKING:
    from topchef_schema.bridge.revisions import Revisions


def write_revision(
    environment: Environment,
    revisions: Revisions,
    *,
    message: str,
    upgrades: str = "pass",
    downgrades: str = "pass",
    imports: str = "",
    head: str | tuple[str, ...] = "head",
    rev_id: str | None = None,
    branch_label: str | None = None,
    depends_on: tuple[str, ...] = (),
    splice: bool = False,
    version_path: str | None = None,
) -> Revision:
    """Write a revision file whose functions have these bodies, and return the revision.

    Raises `HistoryError` where *head* is ambiguous, `UsageError` where nothing can be written.
    """
    from alembic.util import rev_id as new_id

    if rev_id is not None:
        _require_usable(rev_id, revisions)
    template = shown_path(os.path.join(revisions.directory.dir, "script.py.mako"))
    with (
        readable(template),
        explained(str(head), revisions.heads),
        _nothing_left(revisions),
        output_to_stderr(),
    ):
        script = revisions.directory.generate_revision(
            rev_id or new_id(),
            # It goes into a docstring, as it is in every template.
            message.replace("\\", "\\\\").replace('"""', '\\"\\"\\"'),
            head=head,
            splice=splice,
            branch_labels=branch_label,
            version_path=version_path,
            depends_on=list(depends_on) or None,
            upgrades=upgrades,
            downgrades=downgrades,
            imports=imports,
            config=alembic_config(environment),
        )
    if script is None:
        raise UsageError(
            "the new revision file cannot be read back",
            where=revisions.directory.dir,
            hint="check script.py.mako and file_template",
        )
    return revision_of(script)


def _require_usable(rev_id: str, revisions: Revisions) -> None:
    """Raise `UsageError` for an id that is taken, or that Alembic's words or a file cannot hold."""
    if re.fullmatch(r"\w[\w.]*", rev_id) is None:
        raise UsageError(
            f'"{rev_id}" cannot be the id of a revision',
            where="--rev-id",
            hint="use letters, digits, underscores and dots",
        )
    if revisions.known(rev_id):
        raise UsageError(
            f'there is a revision "{rev_id}" already',
            where=revisions.one(rev_id).path,
            hint="give another id, or leave --rev-id out",
        )


@contextmanager
def _nothing_left(revisions: Revisions) -> Iterator[None]:
    """Remove the new file where writing it, or reading it back, fails."""
    there = _files(revisions)
    try:
        yield
    except BaseException as error:
        for path in _files(revisions) - there:
            path.unlink()
        if isinstance(error, OSError):
            raise UsageError(
                f"the revision file cannot be written: {error.strerror}",
                where=shown_path(str(error.filename)),
                hint="check the folder and who may write to it",
            ) from None
        raise


def _files(revisions: Revisions) -> set[Path]:
    folders = revisions.directory._version_locations
    return {path for folder in folders for path in Path(folder).rglob("*.py")}


def write_merge(
    environment: Environment,
    revisions: Revisions,
    joined: tuple[str, ...],
    *,
    message: str,
    branch_label: str | None = None,
    rev_id: str | None = None,
) -> Revision:
    """Write an empty revision that follows all of *joined*."""
    return write_revision(
        environment,
        revisions,
        message=message,
        head=joined,
        rev_id=rev_id,
        branch_label=branch_label,
        splice=True,
    )


def init_project(directory: str, *, template: str) -> None:
    """Make a new Alembic project with one of Alembic's own templates in *directory*."""
    import contextlib
    import sys
    from argparse import Namespace

    from alembic import command
    from alembic.config import Config

    root = Path(directory)
    config = Config(
        "alembic.ini",
        **toml_file("pyproject.toml" if template.startswith("pyproject") else None),
        stdout=sys.stderr,
        cmd_opts=Namespace(quiet=True),
    )
    known = sorted(path.name for path in Path(config.get_template_directory()).iterdir())
    if template not in known:
        raise UsageError(
            f'there is no template "{template}"', where="--template", hint=", ".join(known)
        )
    before = os.getcwd()
    try:
        root.mkdir(parents=True, exist_ok=True)
        os.chdir(root)
        with explained(directory), contextlib.redirect_stdout(sys.stderr):
            command.init(config, "alembic", template=template)
    except OSError as error:
        raise UsageError(
            f"the project cannot be made: {error.strerror}",
            where=str(error.filename),
            hint="give a folder that you may write to",
        ) from None
    finally:
        os.chdir(before)
