"""no guest has a thousand"""

from alembic import op

revision = "11check"
down_revision = "10documents"


def upgrade():
    with op.batch_alter_table("guests") as guests:
        guests.drop_constraint("ck_guests_balance", type_="check")
        guests.create_check_constraint("ck_guests_balance", "balance BETWEEN 0 AND 999")
    op.execute("CREATE VIEW owing AS SELECT id, balance FROM guests WHERE balance > 0")


def downgrade():
    op.execute("DROP VIEW owing")
    with op.batch_alter_table("guests") as guests:
        guests.drop_constraint("ck_guests_balance", type_="check")
        guests.create_check_constraint("ck_guests_balance", "balance >= 0")
