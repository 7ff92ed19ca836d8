"""countries are a table"""

import sqlalchemy as sa
from alembic import op

revision = "09countries"
down_revision = "08enum"


def upgrade():
    op.create_table("countries", sa.Column("code", sa.String(2), primary_key=True))
    op.execute("INSERT INTO countries SELECT DISTINCT country FROM guests")
    with op.batch_alter_table("guests") as guests:
        guests.create_foreign_key(
            "fk_guests_country", "countries", ["country"], ["code"], ondelete="CASCADE"
        )
        guests.create_index("ix_guests_country", ["country"])


def downgrade():
    with op.batch_alter_table("guests") as guests:
        guests.drop_constraint("fk_guests_country", type_="foreignkey")
        guests.drop_index("ix_guests_country")
    op.drop_table("countries")
