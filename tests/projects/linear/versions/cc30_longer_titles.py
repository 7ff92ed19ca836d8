"""longer titles, and editors"""

import sqlalchemy as sa
from alembic import op

revision = "cc30"
down_revision = "bb20"


def upgrade():
    with op.batch_alter_table("books") as books:
        books.alter_column(
            "title",
            type_=sa.String(400),
            existing_type=sa.String(200),
            existing_nullable=False,
            existing_server_default="untitled",
        )
        books.add_column(sa.Column("editor_id", sa.Integer))
        books.create_foreign_key("fk_books_editor", "authors", ["editor_id"], ["id"])


def downgrade():
    with op.batch_alter_table("books") as books:
        books.drop_constraint("fk_books_editor", type_="foreignkey")
        books.drop_column("editor_id")
        books.alter_column(
            "title",
            type_=sa.String(200),
            existing_type=sa.String(400),
            existing_nullable=False,
            existing_server_default="untitled",
        )
