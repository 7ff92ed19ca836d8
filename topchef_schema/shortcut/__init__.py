"""The short way: finds out that nothing is to do without Alembic, SQLAlchemy and revision modules.

It is taken only where it provably gives the answer of the long way. Whatever is not wholly
understood is a `Doubt`, and the long way goes on as if nothing had been tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from topchef_schema.shortcut.doubt import Doubt

if TYPE_CHECKING:
    from topchef_schema.project import Project


class AtHead(NamedTuple):
    """A database at which nothing is to do, in the words of `stages.apply.Applied`."""

    label: str
    backend: str
    before: tuple[str, ...]
    heads: tuple[str, ...]
    checks: tuple[()] = ()
    statements: tuple[()] = ()
    findings: tuple[()] = ()


def at_head(project: Project, revision: str) -> AtHead | None:
    """Return where the database is if nothing leads up from there to *revision*; None in doubt.

    Reads only, and waits for no lock.
    """
    try:
        return _found(project, revision)
    except Exception as doubt:  # a fault of the short way is no reason for an upgrade to fail
        import logging

        logging.getLogger(__name__).debug("the long way: %s", doubt)
        return None


def _found(project: Project, revision: str) -> AtHead:
    from topchef_schema.discover import find
    from topchef_schema.shortcut import address, configuration, env_py, revision_files

    if revision not in ("heads", "head"):
        raise Doubt(f'"{revision}" is neither heads nor head')
    configuration.require_plain(project)
    where = address.of(project.environment.url)
    read = find("topchef_schema.backends", "DIRECT", f"direct-{where.scheme.replace('+', '-')}")
    if read is None:
        raise Doubt(f"{where.scheme} is not read without SQLAlchemy")
    location = configuration.script_location(project.environment)
    table = env_py.version_table(location / "env.py", project)
    rows = read(where, table)
    if not rows.versions:
        raise Doubt("the database is at base")  # known before any revision is looked at
    heads = revision_files.heads(location / "versions")
    if revision == "head" and len(heads) > 1:
        raise Doubt("there are several heads")
    if sorted(rows.versions) != heads:
        raise Doubt("the database is not at the heads")
    if not rows.clean:
        raise Doubt("the history tells of a run that did not end well")
    return AtHead(where.label, where.scheme.partition("+")[0], tuple(heads), tuple(heads))
