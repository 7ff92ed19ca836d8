"""a name is two names"""

import sqlalchemy as sa
from alembic import op

revision = "06split"
down_revision = "05country"


def upgrade():
    op.add_column("guests", sa.Column("first", sa.String(45)))
    op.add_column("guests", sa.Column("last", sa.String(45)))
    guests = sa.table("guests", *map(sa.column, ("id", "name", "first", "last")))
    for row in op.get_bind().execute(sa.select(guests.c.id, guests.c.name)).all():
        first, _, last = row.name.partition(" ")
        op.execute(
            guests.update().where(guests.c.id == row.id).values(first=first[:45], last=last[:45])
        )
    with op.batch_alter_table("guests") as batch:
        batch.drop_column("name")


def downgrade():
    op.add_column("guests", sa.Column("name", sa.String(90)))
    op.execute(
        "UPDATE guests SET name = trim(concat(first, ' ', last))"
        if op.get_bind().dialect.name != "sqlite"
        else "UPDATE guests SET name = trim(first || ' ' || last)"
    )
    with op.batch_alter_table("guests") as batch:
        batch.alter_column("name", nullable=False, existing_type=sa.String(90))
        batch.drop_column("first")
        batch.drop_column("last")
