"""One script with all that is known of it: what it was made of, and what to warn of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from topchef_schema.errors import TopchefError
from topchef_schema.model import Direction, Plan, Recording
from topchef_schema.project import Project
from topchef_schema.stages import record, record_again, scratch, script
from topchef_schema.stages.fingerprints import Fingerprints
from topchef_schema.stages.record_again import Varying
from topchef_schema.stages.script_contents import taken_away

if TYPE_CHECKING:
    from topchef_schema.stages.script import Terms


@dataclass(frozen=True, slots=True)
class Written:
    """The script for one *database* of the setting ``databases``, None in all other projects.

    Its *pieces* are made each time they are asked for.
    """

    recording: Recording
    pieces: Iterable[str]
    database: str | None
    varying: tuple[Varying, ...]

    @property
    def text(self) -> str:
        """The whole script."""
        return "".join(self.pieces)

    @property
    def title(self) -> str:
        """What to call it among others."""
        return " ".join(filter(None, (self.recording.backend, self.database)))


def written(
    project: Project,
    steps: Plan,
    on: str,
    database: str | None,
    terms: Terms,
    *,
    up: Recording | None = None,
) -> Written:
    """Write the script of *steps*; *on* is a backend, or the server for what must be replayed.

    On the way back, *up* is what the way up does, where that was recorded already. Raises what
    `record.plan` raises.
    """
    backend, _ = scratch.resolve(on)
    paths = [step.revision.path for step in steps] if terms.history and backend.online else []
    with Fingerprints(paths) as fingerprints:
        with record_again.beside(project, steps, backend.name, on=on, database=database) as again:
            recording = record.plan(project, steps, backend, on=on, database=database)
            recording, varying = again(recording)
        lost = _lost(project, steps, backend.name, database, up)
        fingerprints.wait()
    text = script.script(project, recording, terms, lost=lost, fingerprints=fingerprints)
    return Written(recording, text, database, varying)


def _lost(
    project: Project, steps: Plan, backend: str, database: str | None, up: Recording | None
) -> Sequence[str]:
    """Say what the way back does not bring back: what the way up took away."""
    if all(step.direction is Direction.UP for step in steps):
        return ()
    try:
        # A script leaves out what a revision does only online, and that counts, too.
        known = up is not None and not any(map(record.asks, steps))
        recording = up if up and known else _way_up(project, steps, backend, database)
    except TopchefError as error:
        return [f"what the revisions took away is not known: {error.message}"]
    return [
        f"{section.step.revision.id} {said}"
        for section in recording.sections
        for said in taken_away(section)
    ]


def _way_up(project: Project, steps: Plan, backend: str, database: str | None) -> Recording:
    from topchef_schema import backends

    up = tuple(replace(step, direction=Direction.UP) for step in reversed(steps.steps))
    below = project.revisions.heads_below(tuple(step.revision for step in up))
    return record.plan(
        project,
        Plan(up, below),
        backends.named(backend),
        database=database,
        tolerant=True,
        replay=False,
    )
