"""the downgrade fails"""

import sqlalchemy as sa
from alembic import op

revision = "12down"
down_revision = "11filled"


def upgrade():
    op.create_table("labels", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("label")  # leak
    # repair: op.drop_table("labels")
