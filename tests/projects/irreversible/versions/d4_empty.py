"""empty"""

import sqlalchemy as sa
from alembic import op

revision = "d4d4"
down_revision = "c3c3"


def upgrade():
    op.create_table("places", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    pass
