"""SQLAlchemy's recipe for transactions that hold DDL on SQLite."""

from alembic import context
from sqlalchemy import create_engine, event, pool

url = context.config.get_main_option("sqlalchemy.url")
engine = create_engine(url, poolclass=pool.NullPool)


@event.listens_for(engine, "connect")
def connected(connection, record):
    connection.isolation_level = None


@event.listens_for(engine, "begin")
def begun(connection):
    connection.exec_driver_sql("BEGIN EXCLUSIVE")


with engine.connect() as connection:
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
