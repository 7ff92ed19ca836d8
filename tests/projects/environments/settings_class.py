"""A settings object of the application decides, whatever the ini file says."""

import os

from alembic import context
from sqlalchemy import engine_from_config, pool


class Settings:
    """What pydantic-settings would read: a variable with the application's prefix."""

    def __init__(self):
        self.database_url = os.environ["SHOP_DSN"]


config = context.config
config.set_main_option("sqlalchemy.url", Settings().database_url.replace("%", "%%"))

if context.is_offline_mode():
    url = config.get_main_option("sqlalchemy.url")
    context.configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()
else:
    section = config.get_section(config.config_ini_section)
    with engine_from_config(section, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
