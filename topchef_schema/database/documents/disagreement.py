"""The errors that say how a row and its document disagree."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import ClassVar

from topchef_schema.model.documents import Disagree, Disagreement

SHOWN = 5
"""How many places the message names; `disagreements` has all."""


class DocumentDisagreementError(Exception):
    """A row and its document disagree; nothing was changed because of it.

    *resource*, *key* and *store* say whose document that is and where, *path* is the first place
    in it, and *disagreements* are all of them. `AbstractDatabaseModel.repair_documents` makes
    them agree, once somebody has decided which side is right.
    """

    kind: ClassVar[Disagree]

    def __init__(self, disagreements: Sequence[Disagreement]) -> None:
        first = disagreements[0]
        said = [str(first)]
        said += [f"and at {each.path}" for each in disagreements[1:SHOWN]]
        left = len(disagreements) - SHOWN
        said += [f"and at {left} places more"] if left > 0 else []
        super().__init__(", ".join(said))
        self.disagreements = tuple(disagreements)
        self.resource: str = first.resource
        self.key: uuid.UUID = first.key
        self.store: str = first.store
        self.path: str = first.path


class DocumentMissingError(DocumentDisagreementError):
    """There is a row, and no document."""

    kind = Disagree.MISSING


class DocumentExtraError(DocumentDisagreementError):
    """There is a document, and no row."""

    kind = Disagree.EXTRA


class DocumentDifferentError(DocumentDisagreementError):
    """The document is not what the row says."""

    kind = Disagree.DIFFERENT


_ERRORS = {
    each.kind: each for each in (DocumentMissingError, DocumentExtraError, DocumentDifferentError)
}


def require_agreement(disagreements: Sequence[Disagreement]) -> None:
    """Raise the `DocumentDisagreementError` for *disagreements*, if there are any."""
    if disagreements:
        raise _ERRORS[disagreements[0].kind](disagreements)
