"""orders are bills"""

from alembic import op

revision = "07renamed"
down_revision = "06split"


def upgrade():
    op.drop_index("ix_orders_placed", "orders")
    op.rename_table("orders", "bills")
    op.create_index("ix_bills_placed", "bills", ["placed", "state"])


def downgrade():
    op.drop_index("ix_bills_placed", "bills")
    op.rename_table("bills", "orders")
    op.create_index("ix_orders_placed", "orders", ["placed"])
