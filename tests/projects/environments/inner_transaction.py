"""The transaction is begun here, after Alembic was configured, and ended here."""

from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with connection.begin():
        context.run_migrations()
