"""nothing to go back with"""

import sqlalchemy as sa
from alembic import op

revision = "c3c3"
down_revision = "b2b2"


def upgrade():
    op.create_table("sensors", sa.Column("id", sa.Integer, primary_key=True))
