"""guests and orders"""

import sqlalchemy as sa
from alembic import op

revision = "01guests"
down_revision = None


def upgrade():
    op.create_table(
        "guests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("email", sa.String(80)),
        sa.Column("born", sa.Date),
        sa.Column("balance", sa.Numeric(10, 2), server_default="0"),
        sa.Column("notes", sa.Text),
        sa.CheckConstraint("balance >= 0", name="ck_guests_balance"),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("guest_id", sa.Integer, sa.ForeignKey("guests.id", name="fk_orders_guest")),
        sa.Column("placed", sa.DateTime, nullable=False),
        sa.Column("state", sa.Enum("open", "paid", name="order_state"), nullable=False),
        sa.Column("total", sa.Integer),
    )
    op.create_index("ix_orders_placed", "orders", ["placed"])


def downgrade():
    op.drop_table("orders")
    op.drop_table("guests")
    sa.Enum(name="order_state").drop(op.get_bind())
