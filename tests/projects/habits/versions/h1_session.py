"""rows through an ORM session, with models of its own"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import orm

revision = "h1h1"
down_revision = None

Base = orm.declarative_base()


class Person(Base):
    __tablename__ = "people"

    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(60), nullable=False)
    nickname = sa.Column(sa.String(60))


def upgrade():
    bind = op.get_bind()
    Person.__table__.create(bind)
    session = orm.Session(bind=bind)
    session.add_all([Person(id=1, name="Ada: 100%"), Person(id=2, name="Grace")])
    session.flush()
    for person in session.query(Person).order_by(Person.id):
        person.nickname = person.name[:3]
    session.commit()


def downgrade():
    with orm.Session(bind=op.get_bind()) as session:
        session.query(Person).delete()
        session.flush()
    Base.metadata.drop_all(bind=op.get_bind())
