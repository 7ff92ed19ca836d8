"""A connection that is handed over, else an async engine: what a server with its own loop has."""

import asyncio

from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config

config = context.config


def migrate(connection):
    print("driver:", connection.dialect.driver)
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def main():
    section = config.get_section(config.config_ini_section, {})
    engine = async_engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


handed = config.attributes.get("connection")
if handed is not None:
    migrate(handed)
else:
    asyncio.run(main())
