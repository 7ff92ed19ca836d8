"""books have an ISBN"""

import sqlalchemy as sa
from alembic import op

revision = "3f5b8c0d2e71"
down_revision = "ae1027a6acf4"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("books", sa.Column("isbn", sa.String(13)))
    op.create_index("ix_books_isbn", "books", ["isbn"])


def downgrade():
    op.drop_index("ix_books_isbn", "books")
    op.drop_column("books", "isbn")
