"""sort names

Filled from the names, so that the list of authors can be sorted at once.
"""

import sqlalchemy as sa
from alembic import op

revision = "bb20"
down_revision = "aa10"


def upgrade():
    op.add_column("authors", sa.Column("sort_name", sa.String(80)))
    op.execute("UPDATE authors SET sort_name = upper(name)")


def downgrade():
    with op.batch_alter_table("authors") as authors:
        authors.drop_column("sort_name")
