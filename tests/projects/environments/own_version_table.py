"""A version table with its own name and, where there are schemas, in a schema of its own."""

from alembic import context
from sqlalchemy import create_engine, pool, text

url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    schema = None
    if connection.dialect.name == "postgresql":
        schema = "shop_meta"
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS shop_meta"))
        connection.commit()
    context.configure(
        connection=connection, version_table="shop_versions", version_table_schema=schema
    )
    with context.begin_transaction():
        context.run_migrations()
