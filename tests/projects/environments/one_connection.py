"""The application's own pool, which has a single connection and waits for no other."""

from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.get_main_option("sqlalchemy.url")
engine = create_engine(
    url, poolclass=pool.QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.1
)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
