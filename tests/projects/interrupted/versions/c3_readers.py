"""an ORM session, a column on a filled table, and an index outside of the transaction"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy import orm

revision = "c3"
down_revision = "b2"

Base = orm.declarative_base()


class Reader(Base):
    __tablename__ = "readers"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(40))


def upgrade():
    concurrently = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "readers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(40)),
    )
    with orm.Session(bind=op.get_bind()) as session:
        session.add_all([Reader(id=n, name=f"reader {n}") for n in range(1, 4)])
        session.commit()
    op.add_column("readers", sa.Column("age", sa.Integer, nullable=False, server_default="7"))
    with orm.Session(bind=op.get_bind()) as session:
        session.get(Reader, 2).name = "somebody else"
        session.commit()
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_readers_name", "readers", ["name"], postgresql_concurrently=concurrently
        )
        op.execute("INSERT INTO readers (id, name) VALUES (9, 'late')")
    op.execute("UPDATE shelves SET name = 'read' WHERE id = 1")


def downgrade():
    concurrently = op.get_bind().dialect.name == "postgresql"
    op.execute("UPDATE shelves SET name = 'shelf 1' WHERE id = 1")
    with op.get_context().autocommit_block():
        op.execute("DELETE FROM readers WHERE id = 9")
        op.drop_index(
            "ix_readers_name", table_name="readers", postgresql_concurrently=concurrently
        )
    op.drop_table("readers")
