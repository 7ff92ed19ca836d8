"""tables to sit at"""

import sqlalchemy as sa
from alembic import op

revision = "12tables"
down_revision = "11check"


def upgrade():
    op.create_table(
        "places",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.SmallInteger, nullable=False, unique=True),
        sa.Column("outside", sa.Boolean, server_default=sa.false()),
    )
    places = sa.table("places", sa.column("id", sa.Integer), sa.column("number", sa.Integer))
    op.bulk_insert(places, [{"id": 10 + each, "number": 20 + each} for each in range(3)])


def downgrade():
    op.drop_table("places")
