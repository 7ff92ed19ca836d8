"""what a guest likes, and who brought him"""

import sqlalchemy as sa
from alembic import op

revision = "10documents"
down_revision = "09countries"


def upgrade():
    op.add_column("guests", sa.Column("likes", sa.JSON))
    op.execute("""UPDATE guests SET likes = '{"fish": true}'""")
    with op.batch_alter_table("guests") as guests:
        guests.add_column(sa.Column("brought_by", sa.Integer))
        guests.create_foreign_key("fk_guests_brought_by", "guests", ["brought_by"], ["id"])
        guests.create_unique_constraint("uq_guests_email", ["email"])


def downgrade():
    with op.batch_alter_table("guests") as guests:
        guests.drop_constraint("uq_guests_email", type_="unique")
        guests.drop_constraint("fk_guests_brought_by", type_="foreignkey")
    if op.get_bind().dialect.name in ("mysql", "mariadb"):
        op.drop_index("fk_guests_brought_by", "guests")
    with op.batch_alter_table("guests") as guests:
        guests.drop_column("brought_by")
        guests.drop_column("likes")
