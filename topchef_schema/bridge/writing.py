"""Writes new revision files through the project's own template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.bridge.configuration import alembic_config
from topchef_schema.bridge.revisions import explained, revision_of
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

    with explained(str(head), revisions.heads):
        script = revisions.directory.generate_revision(
            rev_id or new_id(),
            message,
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
    import os
    import sys
    from argparse import Namespace
    from pathlib import Path

    from alembic import command
    from alembic.config import Config

    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    config = Config("alembic.ini", stdout=sys.stderr, cmd_opts=Namespace(quiet=True))
    known = sorted(path.name for path in Path(config.get_template_directory()).iterdir())
    if template not in known:
        raise UsageError(
            f'there is no template "{template}"', where="--template", hint=", ".join(known)
        )
    before = os.getcwd()
    os.chdir(root)
    try:
        with explained(directory), contextlib.redirect_stdout(sys.stderr):
            command.init(config, "alembic", template=template)
    finally:
        os.chdir(before)
