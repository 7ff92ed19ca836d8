"""How the commands that list revisions show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.model import Revision, Table

if TYPE_CHECKING:
    from topchef_schema.project import Project


def table(project: Project, revisions: tuple[Revision, ...]) -> Table:
    """Return *revisions* as rows of id, what they follow, labels and message."""
    return Table(
        ("revision", "follows", "", "message"),
        tuple((each.id, follows(each), marks(project, each), each.message) for each in revisions),
    )


def follows(revision: Revision) -> str:
    """Return what *revision* stands on, as one cell."""
    text = ", ".join(revision.down) or "base"
    if revision.depends_on:
        text += f" (needs {', '.join(revision.depends_on)})"
    return text


def marks(project: Project, revision: Revision) -> str:
    """Return labels, and whether it is a head or a merge, as one cell."""
    words = list(revision.labels)
    if project.revisions.is_head(revision):
        words.append("head")
    if revision.is_merge:
        words.append("merge")
    return ", ".join(words)


def plain(revision: Revision) -> dict[str, object]:
    """Return *revision* as data for a report."""
    return {
        "revision": revision.id,
        "down_revisions": list(revision.down),
        "depends_on": list(revision.depends_on),
        "labels": list(revision.labels),
        "message": revision.message,
        "doc": revision.doc,
        "path": revision.path,
    }
