"""Whoever calls Alembic hands over a connection; there is no other way."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
