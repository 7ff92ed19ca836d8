"""What the first revision takes to be there already: made where a database is still empty.

The setting ``baseline`` names a function, or a file of SQL statements for the driver to run. It
may fill Alembic's version table too: then the revisions that are in it are not run.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.backends.timeouts import Limits
from topchef_schema.errors import InDoubtError, UsageError
from topchef_schema.model import Direction, JournalEntry
from topchef_schema.project import Project
from topchef_schema.stages import journal, observe, resume
from topchef_schema.stages.entry import Entry, Target, connected, database_url
from topchef_schema.stages.journal import BASELINE, Journal

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.base import Backend
    from topchef_schema.bridge.journaling import Journaling
    from topchef_schema.bridge.session import Session

log = logging.getLogger(__name__)


def lay(project: Project) -> None:
    """Lay the baseline of *project* into its databases, which are empty.

    With the dialect that env.py is given: what a function makes may depend on it.

    Raises `UsageError` where there is no such function or file, or it fails.
    """
    from sqlalchemy import make_url

    from topchef_schema.bridge.configuration import given_url

    for _, named in project.environment.named:
        backend, _ = database_url(project, named)
        _lay(project, backend, make_url(given_url(project.environment, named)))


def lay_where_empty(project: Project, lock_timeout: float, *, history: bool = True) -> None:
    """Lay the baseline where the database has neither revisions nor tables, under the lock.

    One that has tables has those of the baseline already: the program made them. One that an
    interrupted run began is finished, as a revision is; without *history* nobody knows of it. Does
    nothing in a project without a baseline. Raises `InDoubtError` for a script that was
    interrupted.
    """
    if project.settings.baseline is None:
        return

    def body(session: Session, target: Target) -> None:
        seen = observe.within(session, target, schema=True)
        session.settle()
        assert seen.snapshot is not None
        left = tuple(each for each in seen.unfinished if each.revision == BASELINE)
        empty = not any(key.startswith("table ") for key in seen.snapshot.objects)
        if left or (empty and not seen.heads):
            log.info("laying the baseline first: %s", _why(left))
            url = session.connection.engine.url
            if left and not empty and str(project.settings.baseline).endswith(".sql"):
                raise _in_doubt(project, target)
            following = _following(session, target, left) if history else None
            _lay(project, target.backend, url, following)

    Entry(project, lock_timeout=lock_timeout).run(body, look=True)


def _why(left: Sequence[JournalEntry]) -> str:
    return "an earlier run stopped in the middle of it" if left else "the database is empty"


def _in_doubt(project: Project, target: Target) -> InDoubtError:
    return InDoubtError(
        "the baseline was interrupted in the middle of a script",
        where=f"{target.label}; setting baseline, {project.settings.baseline}",
        hint="empty the database and run the same command again; or finish the baseline by hand "
        "and say so: topchef-db repair --mark-applied",
    )


def _following(session: Session, target: Target, left: Sequence[JournalEntry]) -> Journaling:
    from topchef_schema.bridge.journaling import Journaling
    from topchef_schema.bridge.listening import Listener

    made = not target.backend.transactional_ddl
    keep = Journal(target.version_table_schema, uuid.uuid4().hex, BASELINE, Direction.UP, made)
    if made:
        journal.create(session.connection, keep.schema)
        session.commit()
    bounds = target.backend.timeouts(session.connection, Limits())
    done = resume.done(left, session, target, bounds) if left else ()
    bounds.restore()
    rules = target.backend.commit_rules
    assert rules is not None
    return Journaling(keep, rules, Listener(target.backend.name), done)


def _lay(
    project: Project, backend: Backend, url: URL, journaling: Journaling | None = None
) -> None:
    url = backend.synchronous(url)
    reference = str(project.settings.baseline)
    is_script = reference.endswith(".sql")
    try:
        if is_script:
            text = _script(project, reference, backend)
            with _marked(url, journaling):
                backend.run_script(url, text)
        else:
            _call(project, reference, url, journaling)
    except (UsageError, InDoubtError):
        raise
    except Exception as error:
        if journaling is not None and journaling.refused is not None:
            raise resume.explained(str(journaling.refused), BASELINE, reference) from None
        raise UsageError(
            f"the baseline fails: {type(error).__name__}: {first_line(error)}",
            where=f"setting baseline, {reference}",
            hint="its statements run on an empty database, without a client: leave out what only "
            "psql or mysql understand"
            if is_script
            else "it gets a connection to an empty database and has to fill it",
        ) from None


@contextmanager
def _marked(url: URL, journaling: Journaling | None) -> Iterator[None]:
    """Leave a mark while a script runs, whose statements nobody follows.

    One that fails takes it away: it says itself what it has done.
    """
    if journaling is None or journaling.keep is None:
        yield
        return
    keep = journaling.keep
    with connected(url) as connection:
        if journaling.done:
            keep.clear(connection)
        keep.write(connection, [(0, "", "the script of the baseline", False, None)])
        connection.commit()
        try:
            yield
        finally:
            keep.clear(connection)
            connection.commit()


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


def _call(project: Project, reference: str, url: URL, journaling: Journaling | None) -> None:
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
        if journaling is None:
            function(connection)
        else:
            from topchef_schema.bridge.journaling import Hooks

            hooks = Hooks()
            with hooks.attached(connection.engine), hooks.followed_by(journaling):
                function(connection)
                journaling.finish(connection)
        connection.commit()
