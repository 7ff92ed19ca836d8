"""Wants to know what Alembic was asked to do."""

from alembic import context
from sqlalchemy import create_engine, pool

print(f"to {context.get_revision_argument()} of {context.get_head_revisions()}")
print(f"tag {context.get_tag_argument()}, -x {context.config.cmd_opts.x}")

url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    assert context.get_bind() is connection
    with context.begin_transaction():
        context.run_migrations()
