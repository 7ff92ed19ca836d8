"""authors and books"""

import sqlalchemy as sa
from alembic import op

revision = "aa10"
down_revision = None


def upgrade():
    op.create_table(
        "authors",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("born", sa.Integer),
        sa.UniqueConstraint("name", name="uq_authors_name"),
    )
    op.create_table(
        "books",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("author_id", sa.Integer, nullable=False),
        sa.Column("title", sa.String(200), nullable=False, server_default="untitled"),
        sa.ForeignKeyConstraint(["author_id"], ["authors.id"], name="fk_books_author"),
    )
    op.create_index("ix_books_title", "books", ["title"])


def downgrade():
    op.drop_table("books")
    op.drop_table("authors")
