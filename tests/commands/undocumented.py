"""What a project names that has documents beside no row."""

from __future__ import annotations

from pathlib import Path

from topchef_schema.database.documents import Resources

SETTINGS = Path(__file__).with_suffix(".ini")

DOCUMENTED = Resources()
