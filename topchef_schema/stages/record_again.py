"""Would a revision say the same again? Found by recording it twice, in two processes.

The second one has another hash seed, so that sets come in another order, and another time zone, in
which it is another day.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from topchef_schema import backends
from topchef_schema.model import Plan, Recording, Section, Statement
from topchef_schema.model.file_fingerprint import text_of
from topchef_schema.project import Project
from topchef_schema.stages import record
from topchef_schema.stages.worker import Workers

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<source>[\w.]+)[ \t]+import\b|import[ \t]+(?P<modules>[^#\n;]+))",
    re.MULTILINE,
)
_SAME = {"__future__", "alembic", "collections", "enum", "json", "logging", "re", "sqlalchemy"}
_SAME |= {"textwrap", "typing"}
"""Modules that give the same at any time, as far as a revision asks them."""

_BY_CHANCE = re.compile(r"\b(?:frozen)?set\(|\bhash\(|\bid\(|\bopen\(|__import__|\{[^:{}]*\}")
"""What gives something else without an import; braces without a colon may be a set."""


@dataclass(frozen=True, slots=True)
class Varying:
    """A statement that is another one each time, as it was recorded the first time and again."""

    first: Statement
    again: str


Again = Callable[[Recording], tuple[Recording, tuple[Varying, ...]]]


def may_vary(source: str) -> bool:
    """Whether a revision file could say something else the next time; false is certain."""
    for match in _IMPORT.finditer(source):
        names = match["source"] or match["modules"]
        for each in names.split(","):
            module = each.strip().split(" ")[0]
            if module.partition(".")[0] not in _SAME:
                return True
    return bool(_BY_CHANCE.search(source))


@contextmanager
def beside(
    project: Project, steps: Plan, backend: str, *, on: str, database: str | None
) -> Iterator[Again]:
    """Record *steps* a second time meanwhile, if need be; yield what compares the two.

    It gives the first recording, with the sections marked that differ, and one statement of each.
    """
    if not any(may_vary(text_of(step.revision.path)) for step in steps):
        yield lambda recording: (recording, ())
        return
    workers = Workers(environment=_elsewhere())
    with ThreadPoolExecutor(1) as thread:
        second = thread.submit(workers.call, _recorded, project, steps, backend, on, database)
        try:
            yield lambda recording: _compared(recording, second.result())
        except Exception:
            raise  # the second one comes to its end as the first did, and cleans up
        except BaseException:
            workers.end()
            raise


def _elsewhere() -> dict[str, str]:
    """Return what makes a process differ from this one in all that a revision may depend on."""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    today = datetime.now().astimezone().date()
    # One of the two ends of the world has another date than here. The signs are POSIX's.
    east = (datetime.now(UTC) + timedelta(hours=14)).date() != today
    return {"PYTHONHASHSEED": seed, "TZ": "EAST-14" if east else "WEST+12"}


def _recorded(
    project: Project, steps: Plan, backend: str, on: str, database: str | None
) -> Recording:
    return record.plan(project, steps, backends.named(backend), on=on, database=database)


def _compared(first: Recording, second: Recording) -> tuple[Recording, tuple[Varying, ...]]:
    sections: list[Section] = []
    found: list[Varying] = []
    for one, other in zip(first.sections, second.sections, strict=True):
        said, again = ([each.sql for each in section.statements] for section in (one, other))
        sections.append(one if said == again else replace(one, varies=True))
        if said != again:
            again += [""] * (len(said) - len(again))
            place = next((n for n, sql in enumerate(said) if sql != again[n]), len(said) - 1)
            found.append(Varying(one.statements[place], again[place]))
    return replace(first, sections=tuple(sections)), tuple(found)
