"""Settings that hold to the end of the transaction, before the first step."""

from alembic import context
from sqlalchemy import create_engine, pool, text

url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text("SET LOCAL lock_timeout = '7s'"))
        connection.execute(text("SET LOCAL shop.tenant = 'corner'"))
        context.run_migrations()
