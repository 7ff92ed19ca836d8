"""Does every revision go down as it went up? Each is taken up, down and up on a scratch database.

The schema after the downgrade has to be the schema before the upgrade, the second upgrade has to
give the schema of the first, and rows that were there before have to be there still. What only
the history as a whole shows is found beside, see `whole_checks`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from topchef_schema.model import Check, Finding, Revision
from topchef_schema.project import Project, parse_url
from topchef_schema.stages import scratch, whole_checks
from topchef_schema.stages.ground import Ground
from topchef_schema.stages.one_by_one import Task, Wishes, work
from topchef_schema.stages.progress import followed
from topchef_schema.stages.rows import Sown
from topchef_schema.stages.worker import Workers

if TYPE_CHECKING:
    from topchef_schema.stages.progress import Progress
    from topchef_schema.stages.scratch import Place

log = logging.getLogger(__name__)

_NEEDED = tuple(
    f"topchef_schema.bridge.{each}"
    for each in ("environment", "journaling", "operations", "revisions", "steps")
)
"""What a process imports that takes revisions up and down, which takes longest."""


def provers(on: Sequence[str]) -> Workers:
    """Start what is to prove on the servers *on*, so that it is ready when it is needed."""
    return Workers(ahead=partial(_import_what_is_needed, tuple(on)))


def _import_what_is_needed(on: Sequence[str]) -> None:
    from sqlalchemy import make_url

    for each in _NEEDED:
        import_module(each)
    for word in on:
        with suppress(Exception):  # is told by who opens it
            backend, url = scratch.resolve(word)
            named = make_url(backend.offline_url) if url is None else parse_url(url)
            backend.with_driver(named).get_dialect().import_dbapi()


@dataclass(frozen=True, slots=True)
class Kept:
    """A scratch database as *revision* left it, or what the *check* of the whole history tried.

    *url* has no secret in it.
    """

    url: str
    revision: str | None = None
    check: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found on one backend; *version* is the server's own version string.

    *checks* are those of single revisions, *whole* those of the history as a whole. *database* is
    the one that was proven, of a project that has several. *kept* says how to connect to the
    scratch databases of a failure, where these were to be kept.
    """

    backend: str
    version: str
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    whole: tuple[Check, ...] = ()
    database: str | None = None
    kept: tuple[Kept, ...] = ()

    @property
    def all_checks(self) -> tuple[Check, ...]:
        """The checks as a report holds them: with the database in their names, if it has one."""
        if self.database is None:
            return self.checks + self.whole
        return tuple(
            replace(each, name=f"{self.database}: {each.name}") for each in self.checks + self.whole
        )


def prove(
    project: Project,
    chosen: Sequence[Revision],
    on: Sequence[str],
    *,
    jobs: int,
    fail_fast: bool = False,
    keep: bool = False,
    models: bool | None = None,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> list[Proof]:
    """Prove *chosen* on each server of *on*, *jobs* at a time; order is that of *on*.

    What *jobs* are left goes to the parts of a long history. Of a project with several databases,
    each is proven. With *fail_fast* no revision is proven after the first on that server that is
    not clean; *keep* leaves the database of that one. The models are held against the heads where
    these are chosen, or as *models* says.
    """
    # Read now: an unreadable revision is one failure, not one for each backend.
    project.revisions.all  # noqa: B018
    identities = frozenset(each.id for each in chosen)
    workers = workers or Workers()
    total = len(chosen) * len(on) * len(project.databases)
    servers = max(1, min(jobs, len(on)))
    parts = max(1, jobs // servers)

    def one(word: str, wishes: Wishes) -> list[Proof]:
        with scratch.place(word, workers=workers) as place:
            tasks = (Task(identities, name, wishes) for name in project.databases)
            return [_on(place, project, each, parts, models=models) for each in tasks]

    with (
        followed(progress, total) as done,
        ThreadPoolExecutor(servers) as pool,
    ):
        wishes = Wishes(fail_fast, keep, done)
        try:
            return [
                proof for proofs in pool.map(lambda word: one(word, wishes), on) for proof in proofs
            ]
        except BaseException:
            # Only this thread hears of Ctrl-C; leaving would wait for the others to come to an end.
            workers.end()
            raise


def _on(place: Place, project: Project, first: Task, jobs: int, *, models: bool | None) -> Proof:
    """Run workers on scratch databases until every revision has been reached, *jobs* at a time."""
    everything = {each.id for each in project.revisions.all}
    with ExitStack() as stack:
        beside = None
        whole = bool(everything) and first.chosen >= everything
        if models is None:
            models = first.chosen.issuperset(project.revisions.heads)
        if whole or (everything and models):
            beside = stack.enter_context(
                whole_checks.beside(place, project, first.database, whole=whole, models=models)
            )
        single = _in_parts(place, project, first, jobs)
        findings, kept = single.findings, single.kept
        if beside is not None:
            beside.judge(findings, single.head, keep=first.wishes.keep and not single.unclean)
            findings += beside.findings
            kept += [Kept(url, check=name) for name, url in beside.kept]
    name = first.database
    if name is not None:
        findings = [_of_database(each, name) for each in findings]
    return Proof(
        place.backend.name,
        place.server.version,
        tuple(single.checks),
        tuple(findings),
        whole=() if beside is None else tuple(beside.checks),
        database=name,
        kept=tuple(kept),
    )


LONG = 200
"""From so many revisions on a history is proven in two parts, which can be at the same time."""


def _in_parts(place: Place, project: Project, first: Task, jobs: int) -> _Single:
    """Prove what *first* has chosen, the later part of a long history on databases of its own.

    That is brought up to there on empty tables. Where it is then not as it would be one revision
    after the other, it is proven again, from where the early part has ended. Whether and where
    history is parted does not depend on *jobs*: what is found must not depend on the machine.
    """
    tasks = _parts(project, first)
    with ExitStack() as stack:
        parts = [_Single(Ground(place, project, stack)) for _ in tasks]
        with ThreadPoolExecutor(min(jobs, len(tasks))) as pool:
            proofs = [
                pool.submit(part.prove, task) for part, task in zip(parts, tasks, strict=True)
            ]
            try:
                for proof in as_completed(proofs):
                    proof.result()
            except BaseException:
                place.workers.end()  # all has failed, and nobody is to wait for the other part
                raise
        if len(parts) == 1:
            return parts[0]
        early, late = parts
        behind = {each.id for each in project.revisions.all[: tasks[1].position]}
        if _is_as_in_order(early, late, behind):
            early.checks += late.checks
            early.findings += [each for each in late.findings if each.revision not in behind]
            early.head = late.head
        else:
            early.go_on(tasks[1])
        return early


def _is_as_in_order(early: _Single, late: _Single, behind: Set[str]) -> bool:
    """Whether the *late* part found all *behind* it as the *early* one had left it.

    Rows among it: those that are not of our making are the same, and no others were changed. And
    whether nothing hung on rows, which have not been through the revisions behind it.
    """
    assert early.last is not None
    assert late.last is not None
    same = late.last.broken & behind == early.last.broken & behind
    changed = any(each.rule == "data-changed" for each in early.findings)
    return same and not late.out_of_order and not changed and early.others == late.others


def _parts(project: Project, first: Task) -> list[Task]:
    """Return *first*, or the parts of it; whoever wants to stop early wants to do so in order.

    The later one has fewer revisions: it fills all tables at once, and looks at more of them.
    """
    at = [at for at, each in enumerate(project.revisions.all) if each.id in first.chosen]
    if len(at) < LONG or first.wishes.fail_fast or first.wishes.keep:
        return [first]
    position = at[len(at) * 5 // 8 - 1] + 1
    early = {each.id for each in project.revisions.all[:position]}
    return [
        replace(first, chosen=first.chosen & early),
        replace(first, chosen=first.chosen - early, position=position, apart=True),
    ]


@dataclass
class _Single:
    """The revisions one by one, each worker on a database that the last one has not touched.

    *head* is the fingerprint of the schema at the last revision, *last* what the last worker did,
    *sown* the rows of our making that it left, and *others* how many are not; apart, how many the
    first worker found. *out_of_order*: it has ended before its time. *begun* is the first task of
    all.
    """

    ground: Ground
    last: Task | None = None
    sown: Sown = field(default_factory=Sown)
    others: Mapping[str, int] | None = None
    out_of_order: bool = False
    checks: list[Check] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unclean: bool = False
    kept: list[Kept] = field(default_factory=list)
    head: str | None = None
    begun: Task | None = None

    def prove(self, first: Task) -> None:
        """Run workers from *first* on, until there is nothing to go on with."""
        ground = self.ground
        self.begun = self.begun or first
        task: Task | None = first
        while task is not None:
            self.last = task
            outcome = ground.run(work, ground.project, task, ground.place.backend.name)
            if outcome.missed:
                task = self._anew(first, outcome.missed)
                continue
            self.sown, self.out_of_order = outcome.sown, outcome.out_of_order
            if not first.apart or self.others is None:
                self.others = outcome.others
            self.checks += outcome.checks
            self.findings += outcome.findings
            self.head = outcome.head
            # What was sown is gone with the databases.
            task = outcome.task and replace(outcome.task, sown=Sown())
            if outcome.unclean is not None and not self.unclean and first.wishes.keep:
                self.kept += [Kept(url, outcome.unclean) for url in ground.keep(outcome.unclean)]
            first_kept = bool(self.kept) and not self.unclean
            self.unclean = self.unclean or outcome.unclean is not None
            if task is not None and first_kept:
                ground.renew()
            elif task is not None:
                ground.clear()

    def _anew(self, first: Task, missed: Sequence[str]) -> Task:
        """Return the beginning of all that was to be proven, reading all after each step."""
        assert self.begun is not None
        log.warning(
            "%s: what changed was not seen rightly (%s); proving it anew, with all read after each"
            " step, which takes longer. Please report it.",
            self.ground.place.backend.name,
            ", ".join(missed),
        )
        self.checks.clear()
        self.findings.clear()
        self.others, self.unclean = None, False
        self.ground.clear()
        quiet = replace(first.wishes, done=None)  # these are counted already
        chosen = self.begun.chosen | first.chosen
        return replace(self.begun, chosen=chosen, wishes=quiet, whole=True)

    def go_on(self, later: Task) -> None:
        """Prove what *later* has chosen, too, on the databases as they are."""
        assert self.last is not None
        task = replace(self.last, chosen=later.chosen, position=later.position)
        self.prove(replace(task, sown=self.sown))


def _of_database(finding: Finding, name: str) -> Finding:
    check = None if finding.check is None else f"{name}: {finding.check}"
    return replace(finding, message=f"{name}: {finding.message}", check=check)
