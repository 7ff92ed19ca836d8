"""A transaction that is begun and committed by hand, around everything."""

from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    transaction = connection.begin()
    context.configure(connection=connection)
    context.run_migrations()
    transaction.commit()
