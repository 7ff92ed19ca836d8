"""Alembic, and nothing else: the only room that imports it."""
