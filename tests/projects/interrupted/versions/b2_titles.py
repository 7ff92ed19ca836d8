"""columns on filled tables, and a look at the database"""

from alembic import op
import sqlalchemy as sa

revision = "b2"
down_revision = "a1"


def upgrade():
    op.add_column("books", sa.Column("title", sa.String(40)))
    op.execute("UPDATE books SET title = 'book'")
    found = op.get_bind().execute(sa.text("SELECT count(*) FROM books")).scalar_one()
    op.execute(f"INSERT INTO shelves (id, name) VALUES (50, 'of {found} books')")
    with op.batch_alter_table("books") as batch:
        batch.alter_column(
            "title", existing_type=sa.String(40), type_=sa.String(80), nullable=False
        )
    op.create_index("ix_books_title", "books", ["title"])
    if "labels" not in sa.inspect(op.get_bind()).get_table_names():
        op.create_table("labels", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO labels (id) VALUES (1)")


def downgrade():
    op.drop_table("labels")
    op.drop_index("ix_books_title", table_name="books")
    op.execute("DELETE FROM shelves WHERE id = 50")
    with op.batch_alter_table("books") as batch:
        batch.drop_column("title")
