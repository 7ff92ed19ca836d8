"""Settings that hold to the end of the transaction, before Alembic is configured."""

from alembic import context
from sqlalchemy import create_engine, pool, text

url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=pool.NullPool).begin() as connection:
    connection.execute(text("SET LOCAL lock_timeout = '7s'"))
    connection.execute(text("SELECT set_config('shop.tenant', 'corner', true)"))
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
