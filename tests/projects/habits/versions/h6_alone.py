"""outside of the transaction, where the database wants that"""

from alembic import op

revision = "h6h6"
down_revision = "h5h5"


def upgrade():
    concurrently = op.get_bind().dialect.name == "postgresql"
    with op.get_context().autocommit_block():
        op.create_index("ix_people_age", "people", ["age"], postgresql_concurrently=concurrently)


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index("ix_people_age", table_name="people")
