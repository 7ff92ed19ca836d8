"""text that drivers and SQLAlchemy read in their own way"""

import sqlalchemy as sa
from alembic import op

revision = "h4h4"
down_revision = "h3h3"

notes = sa.table("notes", sa.column("id", sa.Integer), sa.column("body", sa.Text))


def upgrade():
    op.bulk_insert(notes, [{"id": 901, "body": "50% of :names"}, {"id": 902, "body": "a ' quote"}])
    op.execute(r"UPDATE notes SET body = '100%% at 10\:30, \:always' WHERE body LIKE '%quote%'")
    text = sa.text("INSERT INTO notes (id, body) VALUES (903, :body)")
    op.execute(text.bindparams(body="żółw :x %s"))
    op.get_bind().execute(sa.text("INSERT INTO notes (id) VALUES (:id)"), [{"id": 904}, {"id": 905}])


def downgrade():
    op.execute(notes.delete().where(notes.c.id > 900))
