"""The URL stands in the ini file under a name of its own."""

from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.get_main_option("shop_url")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
