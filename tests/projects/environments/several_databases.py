"""As in Alembic's multidb template: every database is configured, then all are migrated."""

from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.get_main_option("sqlalchemy.url")
for address in (url, "sqlite:///second.db"):
    with create_engine(address, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection, upgrade_token="up", downgrade_token="down")
        with context.begin_transaction():
            context.run_migrations()
