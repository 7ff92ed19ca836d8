"""A finding that a project has declared: it is known, and there is a reason for it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exemption:
    """What is declared: *rule* at *revision* (an id, or the beginning of one), and why.

    With *object* of this one alone. *where* says where it was declared.
    """

    rule: str
    revision: str
    object: str | None
    reason: str
    where: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.rule, self.revision, self.object)))

    @classmethod
    def parse(cls, line: str, where: str, *, revision: str | None = None) -> Exemption | None:
        """Read ``RULE REVISION [OBJECT] : reason``, without the REVISION where that is known.

        None for what is not that.
        """
        # A colon may be part of an object: "check ((kind)::text <> '')".
        declared, *reason = re.split(r":\s+", line.strip(), maxsplit=1)
        words = declared.split()
        if revision is not None:
            words[1:1] = [revision]
        if not reason or not reason[0] or len(words) < 2:
            return None
        object_ = " ".join(words[2:]) or None
        return cls(words[0], words[1], object_, reason[0], where)

    def covers(self, rule: str, revision: str | None, object_: str | None) -> bool:
        """Whether a finding is what is declared; the object's schema may be left out."""
        if rule != self.rule or not (revision or "").startswith(self.revision):
            return False
        if self.object is None:
            return True
        kind, _, name = (object_ or "").partition(" ")
        declared, _, wanted = self.object.partition(" ")
        return kind == declared and (name == wanted or name.endswith(f".{wanted}"))
