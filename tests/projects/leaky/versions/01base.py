"""shops and items"""

import sqlalchemy as sa
from alembic import op

revision = "01base"
down_revision = None


def upgrade():
    op.create_table(
        "shops",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(40), nullable=False),
    )
    op.create_table(
        "items",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("shop_id", sa.Integer),
        sa.Column("price", sa.Integer),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name="fk_items_shop"),
    )


def downgrade():
    op.drop_table("items")
    op.drop_table("shops")
