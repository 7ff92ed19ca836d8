"""The statements of a revision in a script: which they are, and which are in no transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.model import Section, Statement
from topchef_schema.stages.script_contents import is_boundary

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend


@dataclass(frozen=True, slots=True)
class Said:
    """A statement of a revision, and whether it is in no transaction, or ends the one it is in."""

    statement: Statement
    outside: bool


def said(section: Section, backend: Backend) -> Iterator[Said]:
    """Yield the statements of a revision, without what Alembic writes around them."""
    outside = False
    rules = backend.commit_rules
    for each in section.statements:
        if each.revision is None:
            continue
        if is_boundary(each.sql):
            word = each.sql.strip().rstrip(";").upper()
            # An autocommit block, as Alembic writes it down.
            outside = word == "COMMIT" or (outside and word in ("GO", "/"))
            continue
        alone = rules is not None and (
            rules.commits_alone(each.sql) or rules.needs_autocommit(each.sql)
        )
        yield Said(each, outside or each.autocommit or alone)
