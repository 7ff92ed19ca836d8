"""commits what it has done, and looks at it from a second connection"""

import sqlalchemy as sa
from alembic import op

revision = "h5h5"
down_revision = "h4h4"


def upgrade():
    op.create_table("places", sa.Column("id", sa.Integer, primary_key=True))
    op.get_bind().commit()
    with op.get_bind().engine.connect() as second:
        assert second.execute(sa.text("SELECT count(*) FROM places")).scalar() == 0
    op.execute("INSERT INTO places VALUES (901)")


def downgrade():
    op.execute("DELETE FROM places")
    op.drop_table("places")
