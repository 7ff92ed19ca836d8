"""has no downgrade function"""

from alembic import op

revision = "h7h7"
down_revision = "h6h6"


def upgrade():
    op.execute("UPDATE people SET nickname = 'nobody' WHERE nickname IS NULL")
