"""A step down finds the same version rows as Alembic's own."""

from __future__ import annotations

from alembic.runtime.migration import RevisionStep

from tests import synthetic
from tests.whole_projects import MakeProject
from topchef_schema.bridge.steps import StepDown


def test_version_rows_on_the_way_down(project: MakeProject) -> None:
    """Through merges, branches and revisions that others depend on, down to the base."""
    revisions = project(versions=synthetic.joined(40)).load().revisions
    graph = revisions.directory.revision_map
    heads = set(revisions.applied_heads)
    plan = revisions.downgrade("base", tuple(sorted(heads)))
    sizes = set()
    for step in plan:
        script = revisions.script(step.revision.id)
        ours = StepDown(graph, script, is_upgrade=False)
        theirs = RevisionStep(graph, script, is_upgrade=False)
        assert set(ours._unmerge_to_revisions(heads)) == set(theirs._unmerge_to_revisions(heads))
        sizes.add(len(heads))
        heads = heads - {script.revision} | set(theirs._unmerge_to_revisions(heads))
    assert (len(plan), heads) == (40, set())
    assert sizes == {1, 2}


def test_version_row_that_is_there_already(project: MakeProject) -> None:
    revisions = project(versions=synthetic.linear(3)).load().revisions
    step = StepDown(revisions.directory.revision_map, revisions.script("r00002"), is_upgrade=False)
    assert step._unmerge_to_revisions({"r00002"}) == ("r00001",)
    assert step._unmerge_to_revisions({"r00002", "r00001"}) == ()
