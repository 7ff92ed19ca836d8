"""Always the same file, whatever anybody says."""

from alembic import context
from sqlalchemy import create_engine, pool

with create_engine("sqlite:///own_mind.db", poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
