"""due dates"""

import sqlalchemy as sa
from alembic import op

revision = "b2b2"
down_revision = "b1b1"


def upgrade():
    op.add_column("invoices", sa.Column("due", sa.Date))


def downgrade():
    with op.batch_alter_table("invoices") as invoices:
        invoices.drop_column("due")
