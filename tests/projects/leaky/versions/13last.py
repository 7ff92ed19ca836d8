"""clean"""

import sqlalchemy as sa
from alembic import op

revision = "13last"
down_revision = "12down"


def upgrade():
    op.create_table("ends", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("ends")
