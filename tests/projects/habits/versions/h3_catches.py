"""catches the errors of what it tries"""

import sqlalchemy as sa
from alembic import op

revision = "h3h3"
down_revision = "h2h2"


def upgrade():
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
    try:
        with op.get_bind().begin_nested():
            op.execute("DELETE FROM nowhere")
    except sa.exc.DBAPIError:
        op.add_column("notes", sa.Column("body", sa.Text))


def downgrade():
    op.drop_table("notes")
