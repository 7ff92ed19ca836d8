"""Models with a portable type, indexes and names; the revisions are to be generated from them."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from topchef_schema.types import Portable

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Coordinates(Portable):
    """Stored as it is best on each database."""

    storage = {
        "default": sa.String(40),
        "postgresql": postgresql.JSONB(),
        "mysql": mysql.VARCHAR(60, charset="ascii"),
        "mariadb": mysql.VARCHAR(60, charset="ascii"),
    }


beds = sa.Table(
    "beds",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(40), nullable=False, index=True),
    sa.Column("place", Coordinates()),
    sa.Column("opened", sa.DateTime, server_default=sa.func.current_timestamp()),
)

plants = sa.Table(
    "plants",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("bed_id", sa.ForeignKey("beds.id"), nullable=False, index=True),
    sa.Column("kind", sa.Enum("herb", "tree", name="plant_kind"), nullable=False),
)
