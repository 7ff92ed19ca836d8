"""Compare all rows with the documents beside them.

A resource may have a document in a store of its own, beside its row. Each disagreement is found:
a document that is missing, one that is extra, and one that is different, with the place in it.
Nothing is repaired. The setting `documents` says what is compared; for TopChef's own project that
is services and jobs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.commands.progress import bar
from topchef_schema.errors import UsageError
from topchef_schema.model import Check, DatabaseUrl, Finding, Outcome, Report, Severity, Table
from topchef_schema.model.documents import Disagree

if TYPE_CHECKING:
    from topchef_schema.model.documents import Disagreement
    from topchef_schema.project import Project
    from topchef_schema.stages.documents import Checked, Comparison, Progress

_HELP = {
    Disagree.MISSING: "put the document as the row says, or delete the row",
    Disagree.EXTRA: "delete the document, or bring the row back",
    Disagree.DIFFERENT: "decide which of the two is right, and write the other",
}


def documents(
    project: Project,
    store: str,
    *,
    limit: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Compare the rows of the database of *project* with the documents at the URL *store*.

    One check for each resource; at most *limit* of its documents are told of one by one, all are
    counted. Findings, all errors: ``document-missing``, ``document-extra`` and
    ``document-different``, one for each place that differs: ``object`` is the resource and its
    UUID, ``path`` the place, ``before`` what the row says, ``after`` what the document has.
    *progress* is called with what is done and what there is to do. ``data`` is ``{"store": label,
    "resources": [{"resource", "rows", "documents", "missing", "extra", "different"}]}``.
    """
    return _documents(project, DatabaseUrl(store, "--store"), limit, progress)


def _documents(
    project: Project, store: DatabaseUrl, limit: int, progress: Progress | None
) -> Report:
    from topchef_schema.stages.documents import compare

    found = compare(project, store, limit=limit, progress=progress)
    return Report(
        "documents",
        target=found.label,
        checks=tuple(_check(each, found, limit) for each in found.checked),
        findings=tuple(
            _finding(each, found.backend) for one in found.checked for each in one.disagreements
        ),
        data={"store": found.store, "resources": [_counts(each) for each in found.checked]},
        tables=(_table(found),),
        summary=_summary(found),
    )


def _check(checked: Checked, found: Comparison, limit: int) -> Check:
    wrong = sum(checked.wrong.values())
    detail = f"{wrong} disagree"
    if wrong > limit:
        detail += f", findings tell of {limit}"
    return Check(
        name=checked.resource,
        outcome=Outcome.FAILED if wrong else Outcome.PASSED,
        backend=found.backend,
        seconds=checked.seconds,
        detail=detail if wrong else None,
    )


def _finding(wrong: Disagreement, backend: str) -> Finding:
    return Finding(
        rule=str(wrong.kind),
        severity=Severity.ERROR,
        message=str(wrong),
        help=_HELP[wrong.kind],
        backend=backend,
        object=f"{wrong.resource} {wrong.key}",
        before=wrong.row,
        after=wrong.document,
        path=wrong.path,
        check=wrong.resource,
    )


def _counts(checked: Checked) -> dict[str, object]:
    return {
        "resource": checked.resource,
        "rows": checked.rows,
        "documents": checked.documents,
        "missing": checked.wrong.get(Disagree.MISSING, 0),
        "extra": checked.wrong.get(Disagree.EXTRA, 0),
        "different": checked.wrong.get(Disagree.DIFFERENT, 0),
    }


def _table(found: Comparison) -> Table:
    columns = ("resource", "rows", "documents", "missing", "extra", "different")
    counts = [_counts(each) for each in found.checked]
    return Table(columns, tuple(tuple(str(each[name]) for name in columns) for each in counts))


def _summary(found: Comparison) -> str:
    wrong = sum(sum(each.wrong.values()) for each in found.checked)
    rows = sum(each.rows for each in found.checked)
    if wrong:
        return f"{wrong} disagree, of {rows} rows and their documents in {found.store}"
    return f"{rows} rows agree with their documents in {found.store}"


@click.option("--store", metavar="URL", help="Where the documents are: a SQL database, MongoDB.")
@click.option("--store-env", metavar="NAME", help="The environment variable that holds that URL.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Tell of this many documents of a resource one by one; all are counted.",
)
def documents_command(
    project: Project, *, store: str | None, store_env: str | None, limit: int
) -> Report:
    """Hand the options to `documents`, and show how far it is."""
    with bar("documents") as progress:
        return _documents(project, _store_url(store, store_env), limit, progress)


def _store_url(store: str | None, variable: str | None) -> DatabaseUrl:
    if store is not None and variable is not None:
        raise UsageError(
            "the document store is named twice", where="--store, --store-env", hint="give one"
        )
    if variable is not None:
        text = os.environ.get(variable, "").strip()
        if text:
            return DatabaseUrl(text, f"--store-env {variable}")
        raise UsageError(
            f'the environment variable "{variable}" is not set',
            where="--store-env",
            hint=f"export {variable}=mongodb://user:password@host/database",
        )
    if store is None:
        raise UsageError(
            "the document store is not named",
            where="--store",
            hint="give its URL, or --store-env and the environment variable that holds it",
        )
    return DatabaseUrl(store, "--store")


COMMAND = options.command(
    epilog="""
    topchef-db documents --store sqlite:///documents.db
    topchef-db documents --store-env DOCUMENTS_URL --url-env DATABASE_URL
    topchef-db documents --store mongodb://localhost/topchef --format junit -o documents.xml
    """,
    formats=("text", "json", "junit", "github", "markdown", "html"),
)(documents_command)
