"""the second upgrade makes something else"""

import sqlalchemy as sa
from alembic import op

revision = "08other"
down_revision = "07again"


def upgrade():
    shops = sa.table("shops", sa.column("id", sa.Integer), sa.column("name", sa.String))
    seen = op.get_bind().execute(sa.select(shops.c.id).where(shops.c.id >= 2000)).fetchall()
    op.create_table("counted", sa.Column(f"run_{len(seen)}", sa.Integer, primary_key=True))
    op.bulk_insert(shops, [{"id": 2000 + len(seen), "name": "seen"}])


def downgrade():
    op.drop_table("counted")
    # repair: op.execute("DELETE FROM shops WHERE id >= 2000")
