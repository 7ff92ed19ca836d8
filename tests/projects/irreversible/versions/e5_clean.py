"""clean again"""

import sqlalchemy as sa
from alembic import op

revision = "e5e5"
down_revision = "d4d4"


def upgrade():
    op.create_table("alarms", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("alarms")
