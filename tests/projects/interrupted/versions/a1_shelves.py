"""tables and rows, by turns"""

from alembic import op
import sqlalchemy as sa

revision = "a1"
down_revision = None


def upgrade():
    shelves = op.create_table(
        "shelves",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(40), nullable=False),
    )
    op.bulk_insert(shelves, [{"id": n, "name": f"shelf {n}"} for n in range(5)])
    op.create_table(
        "books",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("shelf_id", sa.Integer, sa.ForeignKey("shelves.id", name="fk_books_shelf")),
    )
    op.create_index("ix_books_shelf_id", "books", ["shelf_id"])
    op.execute("INSERT INTO books (id, shelf_id) SELECT id + 100, id FROM shelves")


def downgrade():
    op.execute("DELETE FROM books WHERE id > 102")
    op.drop_table("books")
    op.execute("UPDATE shelves SET name = 'nothing'")
    op.drop_table("shelves")
