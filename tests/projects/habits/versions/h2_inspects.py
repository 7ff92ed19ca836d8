"""looks before it does anything, and does otherwise for each database"""

import sqlalchemy as sa
from alembic import context, op

revision = "h2h2"
down_revision = "h1h1"

TABLE = "people"


def has_column(name):
    return name in {each["name"] for each in sa.inspect(op.get_bind()).get_columns(TABLE)}


def upgrade():
    if context.is_offline_mode() or not has_column("age"):
        op.add_column(TABLE, sa.Column("age", sa.Integer))
    if op.get_context().bind.dialect.name == "postgresql":
        op.execute("COMMENT ON COLUMN people.age IS 'in years: 10% are wrong'")


def downgrade():
    if has_column("age"):
        with op.batch_alter_table(TABLE) as people:
            people.drop_column("age")
