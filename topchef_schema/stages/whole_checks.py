"""What only the whole history shows: one run or many, the way down to base, models at the heads.

It is walked on scratch databases of its own, beside the proof of the single revisions, and judged
when that is done: what one revision is to blame for is told once, there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from topchef_schema.errors import TopchefError
from topchef_schema.model import (
    Change,
    Check,
    Finding,
    Outcome,
    Severity,
    Snapshot,
    diff,
    names_of,
)
from topchef_schema.model.file_fingerprint import text_of
from topchef_schema.project import Project
from topchef_schema.stages import whole_way
from topchef_schema.stages.agreement import Modelled, disagreements
from topchef_schema.stages.ground import Ground
from topchef_schema.stages.whole_way import Climb, Stopped, WholeWay, fingerprint

if TYPE_CHECKING:
    from topchef_schema.stages.scratch import Place

AT_ONCE = "all revisions in one run"
WAY_DOWN = "the whole way down to base"
MODELS = "models and revisions agree"

_NOT_UP = "a revision does not go up"


@contextmanager
def beside(
    place: Place, project: Project, database: str | None, *, whole: bool, models: bool
) -> Iterator[WholeChecks]:
    """Walk the history while the revisions are proven; *whole*: down, too; *models*: make them."""
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        ground = Ground(place, project, stack)
        walk = pool.submit(
            ground.run, whole_way.there_and_back, project, database, down=whole, models=models
        )
        yield WholeChecks(ground, database, walk, whole=whole, models=models)


@dataclass
class WholeChecks:
    """Judges what *walk* has found on its *ground*; *checks* and *findings* are the verdict.

    *kept* says how to connect to the databases of the first check that failed, with its name.
    """

    ground: Ground
    database: str | None
    walk: Future[WholeWay]
    whole: bool
    models: bool
    checks: list[Check] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)
    _keep: bool = False
    _second: Ground | None = None

    def judge(self, single: Sequence[Finding], head: str | None, *, keep: bool = False) -> None:
        """Add what the findings on *single* revisions do not tell already.

        *head* is the fingerprint of the schema at the heads, one revision after the other; None
        where they were not reached. With *keep* the databases of the first failure are left.
        """
        self._keep = keep
        several = self.whole and len(self.ground.project.revisions.all) > 1
        of_all = (AT_ONCE, WAY_DOWN) if several else ()
        names = (*of_all, MODELS) if self.models else of_all
        try:
            way = self.walk.result()
        except TopchefError as error:
            self.checks += [self._check(name, Outcome.SKIPPED, error.message) for name in names]
            return
        if several and head is None:
            self.checks += [self._check(name, Outcome.PENDING, _NOT_UP) for name in of_all]
        elif several and head is not None:
            self._at_once(way.up, head)
            # A way down that leaves no more than rows is a way down; that is told of a table.
            self._way_down(way, {each.rule for each in single if not _is_of_rows(each)})
        if self.models:
            self._models(way)

    def _at_once(self, up: Climb, head: str) -> None:
        if up.top is not None and fingerprint(up.top) == head:
            self._passed(AT_ONCE)
            return
        many = self._climb(isolate=True)
        one = self._climb(isolate=False)
        other = (
            each for each in one.prints if many.prints.get(each) not in (None, one.prints[each])
        )
        differs = next(other, None)
        if differs is not None:
            self._other_schema(differs)
        elif one.stopped is None and many.stopped is None:
            self._passed(AT_ONCE)  # what the schema is depends on rows
        elif one.stopped is not None and many.stopped is not None:
            self._fails_on_empty_tables(many.stopped)
        elif one.stopped is not None:
            words = "fails where all revisions go up in one run, and goes up in a run of its own"
            step = self._step("stepwise-differs", words, one.stopped)
            self._failed(AT_ONCE, step, left_on=self._second)
        elif many.stopped is not None:
            words = "fails in a run of its own, and goes up where all revisions do in one run"
            self._climb(isolate=True)
            step = self._step("stepwise-differs", words, many.stopped)
            self._failed(AT_ONCE, step, left_on=self._second)

    def _other_schema(self, revision: str) -> None:
        many = self._climb(isolate=True, until=revision).top
        one = self._climb(isolate=False, until=revision).top
        assert one is not None
        assert many is not None
        message = "is another where all revisions go up in one run (after), not one by one (before)"
        changes = _changes(many, one)
        self._failed(
            AT_ONCE,
            *(
                self._finding(
                    "stepwise-differs",
                    message,
                    revision,
                    object=each.key,
                    before=each.before,
                    after=each.after,
                    help=_ONE_WAY,
                )
                for each in changes
            ),
            left_on=self._second,
        )

    def _fails_on_empty_tables(self, stopped: Stopped) -> None:
        """Tell of a revision that goes up where tables hold rows, and not where they hold none.

        What was there already may be the server's, and of the proof beside: a role.
        """
        if stopped.exists:
            self.checks.append(self._check(AT_ONCE, Outcome.SKIPPED, stopped.message))
            return
        words = "the upgrade fails on empty tables, as in a new database"
        step = self._step("upgrade-fails", words, stopped)
        self._failed(AT_ONCE, step, left_on=self._second)

    def _way_down(self, way: WholeWay, single: Collection[str]) -> None:
        if _SPOILS.intersection(single) or way.up.stopped is not None:
            self.checks.append(self._check(WAY_DOWN, Outcome.PENDING, "a revision is not clean"))
        elif _NO_WAY.intersection(single) or (way.bottom is None and way.stuck is None):
            self.checks.append(self._check(WAY_DOWN, Outcome.SKIPPED, "a revision cannot go down"))
        elif way.stuck is not None:
            words = "the downgrade fails on the whole way down, though not alone"
            step = self._step("downgrade-fails", words, way.stuck)
            self._failed(WAY_DOWN, step, left_on=self.ground)
        else:
            self._left_behind(way)

    def _left_behind(self, way: WholeWay) -> None:
        assert way.bottom is not None
        changes = _changes(way.up.base, way.bottom)
        if changes:
            # What env.py makes at the places that it comes to later is of no revision.
            base = self._beside().run(whole_way.untouched, self.ground.project, self.database)
            changes = _changes(base, way.bottom)
        found = [self._trace(each) for each in changes]
        if found:
            self._failed(WAY_DOWN, *found, left_on=self.ground)
        else:
            self._passed(WAY_DOWN)

    def _trace(self, change: Change) -> Finding:
        """Tell of what is left at base, with the first line that names it: it may be made there."""
        finding = self._finding(
            "downgrade-leaves-trace",
            "is not as it was before the first upgrade: that shows only on the whole way down",
            None,
            object=change.key,
            before=change.before,
            after=change.after,
            help="let the downgrade of the revision that made or changed it undo that",
        )
        path, line = self._first_named(names_of(change.key)[-1:])
        return replace(finding, path=path, line=line)

    def _first_named(self, names: Sequence[str]) -> tuple[str | None, int | None]:
        """Return file and line of the first revision that holds the words *names*."""
        for name in names:
            word = re.compile(rf"\b{re.escape(name)}\b")
            for revision in self.ground.project.revisions.all:
                for number, line in enumerate(text_of(revision.path).splitlines(), 1):
                    if word.search(line):
                        return revision.path, number
        return None, None

    def _models(self, way: WholeWay) -> None:
        if way.up.top is None:
            self.checks.append(self._check(MODELS, Outcome.PENDING, _NOT_UP))
            return
        models = way.models or self._made()
        if models.snapshot is None:
            self.checks.append(self._check(MODELS, Outcome.SKIPPED, models.why_not))
            return
        found = disagreements(way.up.top, models, way.up.left_out, self.ground.place.backend.name)
        found = [replace(each, check=MODELS) for each in found]
        if found:
            left_on = self.ground if way.models else self._second
            self._failed(MODELS, *found, left_on=left_on)
        else:
            self._passed(MODELS)

    def _made(self) -> Modelled:
        """Let the models be made on an empty database, without the baseline: it has tables."""
        project = self.ground.project
        bare = project._replace(settings=project.settings._replace(baseline=None))
        return self._beside().run(whole_way.as_modelled, bare, self.database)

    def _climb(self, *, isolate: bool, until: str | None = None) -> Climb:
        return self._beside().run(
            whole_way.climb,
            self.ground.project,
            self.database,
            isolate=isolate,
            watch=until is None,
            until=until,
        )

    def _beside(self) -> Ground:
        """Return empty databases beside those that the walk has left."""
        if self._second is None:
            self._second = self.ground.another()
        elif self.kept:
            self._second.renew()
        else:
            self._second.clear()
        return self._second

    def _passed(self, name: str) -> None:
        self.checks.append(self._check(name, Outcome.PASSED, None))

    def _failed(self, name: str, *findings: Finding, left_on: Ground | None) -> None:
        """Note *findings* and the check that found them; those of info alone fail none."""
        self.findings += findings
        wrong = any(each.severity is Severity.ERROR for each in findings)
        detail = ", ".join(dict.fromkeys(each.rule for each in findings)) or None
        check = self._check(name, Outcome.FAILED if wrong else Outcome.PASSED, detail)
        self.checks.append(replace(check, revision=findings[0].revision if findings else None))
        if wrong and self._keep and left_on is not None:
            self._keep = False
            self.kept += [(name, url) for url in left_on.keep(f'"{name}"')]

    def _check(self, name: str, outcome: Outcome, detail: str | None) -> Check:
        return Check(
            name=name, outcome=outcome, backend=self.ground.place.backend.name, detail=detail
        )

    def _step(self, rule: str, words: str, stopped: Stopped) -> Finding:
        finding = self._finding(
            rule, f"{words}: {stopped.message}", stopped.revision, sql=stopped.sql
        )
        return replace(finding, path=stopped.path, line=stopped.line)

    def _finding(
        self, rule: str, message: str, revision: str | None, **more: str | None
    ) -> Finding:
        at = None if revision is None else self.ground.project.revisions.one(revision)
        return Finding(
            rule=rule,
            severity=Severity.ERROR,
            message=message,
            backend=self.ground.place.backend.name,
            revision=revision,
            path=None if at is None else at.path,
            line=None,
            **more,
        )


def _changes(before: Snapshot, after: Snapshot) -> list[Change]:
    return [each for each in diff(before, after).causes if each.kind != "column-order"]


def _is_of_rows(finding: Finding) -> bool:
    return finding.rule == "empty-downgrade" and finding.object is not None


_ONE_WAY = "let upgrade() make it whatever was made before: both ways are taken in practice"

_SPOILS = {"upgrade-fails", "downgrade-fails", "downgrade-leaves-trace", "upgrade-not-repeatable"}
_NO_WAY = {"irreversible", "empty-downgrade"}
