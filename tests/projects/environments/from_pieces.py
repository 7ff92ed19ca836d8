"""The URL is put together from several variables; `prepare` of the settings takes it apart."""

import os

from alembic import context
from sqlalchemy import URL, create_engine, pool

url = URL.create(
    os.environ["SHOP_DRIVER"],
    username=os.environ.get("SHOP_USER"),
    password=os.environ.get("SHOP_PASSWORD"),
    host=os.environ.get("SHOP_HOST"),
    port=int(os.environ["SHOP_PORT"]) if os.environ.get("SHOP_PORT") else None,
    database=os.environ["SHOP_NAME"],
)
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
