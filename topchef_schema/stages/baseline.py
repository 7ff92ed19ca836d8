"""What the first revision takes to be there already: made where a database is still empty.

The setting ``baseline`` names a function, or a file of SQL statements for the driver to run. It
may fill Alembic's version table too: then the revisions that are in it are not run.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.errors import UsageError
from topchef_schema.project import Project
from topchef_schema.stages import observe
from topchef_schema.stages.entry import Entry, Target, connected, database_url

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.base import Backend
    from topchef_schema.bridge.session import Session

log = logging.getLogger(__name__)


def lay(project: Project) -> None:
    """Lay the baseline of *project* into its databases, which are empty.

    With the dialect that env.py is given: what a function makes may depend on it.

    With the dialect that env.py is given: what a function makes may depend on it.

    Raises `UsageError` where there is no such function or file, or it fails.
    """
    from sqlalchemy import make_url

    from topchef_schema.bridge.configuration import given_url

    for _, named in project.environment.named:
        backend, _ = database_url(project, named)
        _lay(project, backend, make_url(given_url(project.environment, named)))


def lay_where_empty(project: Project, lock_timeout: float) -> None:
    """Lay the baseline where the database has neither revisions nor tables, under the lock.

    One that has tables has those of the baseline already: the program made them. Does nothing in
    a project without a baseline.
    """
    if project.settings.baseline is None:
        return

    def body(session: Session, target: Target) -> None:
        seen = observe.within(session, target, schema=True)
        session.settle()
        assert seen.snapshot is not None
        if not seen.heads and not any(key.startswith("table ") for key in seen.snapshot.objects):
            log.info("the database is empty: laying the baseline first")
            _lay(project, target.backend, session.connection.engine.url)

    Entry(project, lock_timeout=lock_timeout).run(body, look=True)


def _lay(project: Project, backend: Backend, url: URL) -> None:
    url = backend.synchronous(url)
    reference = str(project.settings.baseline)
    is_script = reference.endswith(".sql")
    try:
        if is_script:
            backend.run_script(url, _script(project, reference, backend))
        else:
            _call(project, reference, url)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"the baseline fails: {type(error).__name__}: {first_line(error)}",
            where=f"setting baseline, {reference}",
            hint="its statements run on an empty database, without a client: leave out what only "
            "psql or mysql understand"
            if is_script
            else "it gets a connection to an empty database and has to fill it",
        ) from None


def _script(project: Project, reference: str, backend: Backend) -> str:
    here = Path(project.environment.config_file).absolute().parent
    path = here / reference.replace("{backend}", backend.name)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the baseline cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8'}",
            where=f"setting baseline, {path}",
            hint="give the path of a .sql file from the folder of the configuration; {backend} in "
            "it stands for sqlite, postgresql, mariadb or mysql",
        ) from None


def _call(project: Project, reference: str, url: URL) -> None:
    from topchef_schema.bridge.configuration import load_object

    project.revisions  # noqa: B018 (reading them puts prepend_sys_path of the ini on the path)
    function = load_object(reference, where="setting baseline")
    if not callable(function):
        raise UsageError(
            f'"{reference}" is not a function',
            where="setting baseline",
            hint="name a function that takes a SQLAlchemy connection to an empty database, or a "
            ".sql file",
        )
    with connected(url) as connection:
        function(connection)
        connection.commit()
