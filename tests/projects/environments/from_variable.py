"""The URL comes from the environment, read when this file is imported; there is no other way."""

import os

from alembic import context
from sqlalchemy import create_engine, pool

URL = os.environ["SHOP_DATABASE"]

if context.is_offline_mode():
    context.configure(url=URL, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(URL, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
