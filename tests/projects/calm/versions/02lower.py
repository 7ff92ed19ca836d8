"""addresses in lower case"""

from alembic import op

revision = "02lower"
down_revision = "01guests"


def upgrade():
    op.execute("UPDATE guests SET email = lower(email)")


def downgrade():
    pass
