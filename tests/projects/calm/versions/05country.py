"""every guest has a country"""

import sqlalchemy as sa
from alembic import op

revision = "05country"
down_revision = "04dropped"


def upgrade():
    op.add_column("guests", sa.Column("country", sa.String(2)))
    op.execute("UPDATE guests SET country = 'nl'")
    with op.batch_alter_table("guests") as guests:
        guests.alter_column(
            "country", nullable=False, existing_type=sa.String(2), server_default="nl"
        )


def downgrade():
    with op.batch_alter_table("guests") as guests:
        guests.drop_column("country")
