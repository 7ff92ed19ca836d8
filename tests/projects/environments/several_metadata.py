"""The models are in two collections, and ``target_metadata`` is a list."""

import sqlalchemy as sa
from alembic import context

config = context.config
stock, orders = sa.MetaData(), sa.MetaData()
sa.Table("shelves", stock, sa.Column("id", sa.Integer, primary_key=True))
sa.Table("orders", orders, sa.Column("id", sa.Integer, primary_key=True))

section = config.get_section(config.config_ini_section)
with sa.engine_from_config(section, poolclass=sa.NullPool).connect() as connection:
    context.configure(connection=connection, target_metadata=[stock, orders])
    with context.begin_transaction():
        context.run_migrations()
