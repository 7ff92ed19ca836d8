"""Why the short way is not taken."""

from __future__ import annotations


class Doubt(Exception):
    """Something is not understood; its message says what."""
