"""tables and drinks"""

import sqlalchemy as sa
from alembic import op

revision = "14merged"
down_revision = ("12tables", "13drinks")


def upgrade():
    op.add_column("places", sa.Column("drink_id", sa.Uuid))
    with op.batch_alter_table("places") as places:
        places.create_foreign_key("fk_places_drink", "drinks", ["drink_id"], ["id"])


def downgrade():
    with op.batch_alter_table("places") as places:
        places.drop_constraint("fk_places_drink", type_="foreignkey")
    if op.get_bind().dialect.name in ("mysql", "mariadb"):
        op.drop_index("fk_places_drink", "places")
    with op.batch_alter_table("places") as places:
        places.drop_column("drink_id")
