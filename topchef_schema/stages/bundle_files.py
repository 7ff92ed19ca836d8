"""The files of a bundle, and what each of them is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from topchef_schema.formats import review_html, review_markdown
from topchef_schema.stages import bundle_schema, review
from topchef_schema.stages.bundle import AFTER, BEFORE, DOWN, HTML, MARKDOWN, PLAN, UP
from topchef_schema.stages.bundle_folder import SUMS

if TYPE_CHECKING:
    from topchef_schema.model import Snapshot
    from topchef_schema.stages.bundle import Part

WHAT: Mapping[str, str] = {
    UP: "the script that is run",
    DOWN: "the script of the way back",
    PLAN: "both, for programs",
    BEFORE: "the schema before it",
    AFTER: "the schema after it",
    HTML: "the review, for a browser",
    MARKDOWN: "the review, for a pull request",
    SUMS: "checksums: sha256sum -c SHA256SUMS",
}


def of(parts: Sequence[Part]) -> dict[str, str]:
    """Return the text of each file, by its name in the bundle.

    Raises what `bundle_schema.along` raises.
    """
    files: dict[str, str] = {}
    schemas: dict[str, Mapping[str | None, list[Snapshot]]] = {}
    for each in parts:
        if each.backend.online and each.on not in schemas:
            order = each.order
            schemas[each.on] = bundle_schema.along(order.project, order.steps, each.on)
        schema = schemas.get(each.on, {}).get(each.database, [])
        files |= {f"{each.folder}/{name}": text for name, text in _of(each, schema).items()}
    return files


def _of(part: Part, schema: Sequence[Snapshot]) -> dict[str, str]:
    pages = review.of(part, schema)
    files = dict(part.again) | {HTML: review_html.render(pages)}
    files[MARKDOWN] = review_markdown.render(pages)
    if schema:
        files[BEFORE] = bundle_schema.written(schema[0])
        files[AFTER] = bundle_schema.written(schema[-1])
    return files
