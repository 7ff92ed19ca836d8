"""A loop over tenants: each has its own tables and its own version table, in one database."""

from alembic import context
from sqlalchemy import create_engine, pool

target_metadata = None
url = context.config.get_main_option("sqlalchemy.url")


def migrate(tenant, **options):
    context.configure(
        target_metadata=target_metadata, version_table=f"alembic_version_{tenant}", **options
    )
    with context.begin_transaction():
        context.run_migrations(tenant=tenant)


for tenant in ("north", "south"):
    if context.is_offline_mode():
        migrate(tenant, url=url)
    else:
        with create_engine(url, poolclass=pool.NullPool).connect() as connection:
            migrate(tenant, connection=connection)
