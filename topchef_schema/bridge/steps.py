"""A step down that does not walk through all revisions below it."""

from __future__ import annotations

from alembic.runtime.migration import RevisionStep


class StepDown(RevisionStep):
    """Alembic's step, with a short way to the version rows that come in place of its own."""

    def _unmerge_to_revisions(self, heads: set[str]) -> tuple[str, ...]:
        """Return which of the revisions below become heads.

        One that nothing else follows, or depends on, becomes a head in any case. Alembic holds
        it against all that lies below, and a way down through n revisions takes n * n / 2 looks.
        """
        below = [self.revision_map.get_revision(each) for each in self.to_revisions]
        here = {self.revision.revision}
        alone = all(each is not None and each._all_nextrev == here for each in below)
        if alone and heads.isdisjoint(self.to_revisions):
            return self.to_revisions
        return super()._unmerge_to_revisions(heads)
