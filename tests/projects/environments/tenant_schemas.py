"""A loop over tenants on one connection, inside one transaction: each has a schema of its own."""

from alembic import context
from sqlalchemy import create_engine, pool, text

target_metadata = None
url = context.config.get_main_option("sqlalchemy.url")

with create_engine(url, poolclass=pool.NullPool).begin() as connection:
    for tenant in ("north", "south"):
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {tenant}"))
        connection.execute(text(f"SET search_path TO {tenant}"))
        context.configure(
            connection=connection, target_metadata=target_metadata, version_table_schema=tenant
        )
        with context.begin_transaction():
            context.run_migrations()
