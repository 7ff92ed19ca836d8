"""What Alembic's cookbook showed for SQLAlchemy 1.x: an engine or a connection, handed over."""

from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config

connectable = config.attributes.get("connection", None)
if connectable is None:
    section = config.get_section(config.config_ini_section, {})
    connectable = engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
with connectable.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
