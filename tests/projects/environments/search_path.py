"""Everything lies in a schema that the search path names."""

from alembic import context
from sqlalchemy import create_engine, pool, text

url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS corner"))
    connection.execute(text("SET search_path TO corner"))
    connection.commit()
    connection.dialect.default_schema_name = "corner"
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
