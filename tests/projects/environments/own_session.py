"""The connection is that of an ORM session, which commits at the end."""

from alembic import context
from sqlalchemy import create_engine, pool
from sqlalchemy.orm import Session

url = context.config.get_main_option("sqlalchemy.url")
with Session(create_engine(url, poolclass=pool.NullPool)) as session:
    context.configure(connection=session.connection())
    with context.begin_transaction():
        context.run_migrations()
    session.commit()
