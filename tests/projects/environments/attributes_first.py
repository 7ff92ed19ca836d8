"""As in Alembic's cookbook: a connection that was handed over, else one of its own."""

from contextlib import nullcontext

from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
connection = config.attributes.get("connection", None)
if connection is None:
    section = config.get_section(config.config_ini_section)
    place = engine_from_config(section, poolclass=pool.NullPool).connect()
else:
    place = nullcontext(connection)

with place as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
