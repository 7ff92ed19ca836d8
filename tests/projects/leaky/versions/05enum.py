"""an enum stays, where enums are types"""

import sqlalchemy as sa
from alembic import op

revision = "05enum"
down_revision = "04column"


def upgrade():
    op.create_table(
        "parrots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("mood", sa.Enum("calm", "loud", name="parrot_mood")),
    )


def downgrade():
    op.drop_table("parrots")
    # repair: sa.Enum(name="parrot_mood").drop(op.get_bind())
