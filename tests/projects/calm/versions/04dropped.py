"""nobody read the notes"""

import sqlalchemy as sa
from alembic import op

revision = "04dropped"
down_revision = "03wider"


def upgrade():
    with op.batch_alter_table("guests") as guests:
        guests.drop_column("notes")


def downgrade():
    op.add_column("guests", sa.Column("notes", sa.Text))
