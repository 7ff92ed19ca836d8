"""Prints to stdout, and sets up logging so that every logger there was falls silent."""

from logging.config import fileConfig

from alembic import context
from sqlalchemy import create_engine, pool

print("env.py says hello on stdout")
fileConfig(context.config.config_file_name)
url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
