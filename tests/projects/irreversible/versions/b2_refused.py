"""refused"""

import sqlalchemy as sa
from alembic import op

revision = "b2b2"
down_revision = "a1a1"


def upgrade():
    op.add_column("readings", sa.Column("unit", sa.String(8)))


def downgrade():
    raise NotImplementedError("units cannot be taken away")
