"""A transaction begun before Alembic is configured, and Alembic's own within it."""

from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.get_main_option("sqlalchemy.url")
engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection, connection.begin():
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
