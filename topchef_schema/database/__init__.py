"""TopChef's own schema and models, on SQLite, PostgreSQL, MariaDB and MySQL alike.

Nothing of the toolkit imports this package: its revisions are a project like any other, and meet
the toolkit in one string of ``alembic.ini``.
"""

from __future__ import annotations
