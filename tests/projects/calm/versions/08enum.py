"""bills are sent, too"""

import sqlalchemy as sa
from alembic import op

revision = "08enum"
down_revision = "07renamed"


def upgrade():
    change(("open", "paid"), ("open", "sent", "paid"))


def downgrade():
    op.execute("UPDATE bills SET state = 'open' WHERE state = 'sent'")
    change(("open", "sent", "paid"), ("open", "paid"))


def change(old, new):
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TYPE order_state RENAME TO order_state_old")
        sa.Enum(*new, name="order_state").create(op.get_bind())
        op.execute("ALTER TABLE bills ALTER state TYPE order_state USING state::text::order_state")
        op.execute("DROP TYPE order_state_old")
        return
    with op.batch_alter_table("bills") as bills:
        bills.alter_column(
            "state",
            type_=sa.Enum(*new, name="order_state"),
            existing_type=sa.Enum(*old, name="order_state"),
            existing_nullable=False,
        )
