"""parcels, which name their invoices"""

import sqlalchemy as sa
from alembic import op

revision = "c1c1"
down_revision = "a0a0"
branch_labels = ("shipping",)
depends_on = ("b1b1",)


def upgrade():
    op.create_table(
        "parcels",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("invoice_id", sa.Integer),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name="fk_parcels_invoice"),
    )


def downgrade():
    op.drop_table("parcels")
