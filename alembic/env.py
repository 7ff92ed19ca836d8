"""TopChef's migration environment; the bridge does the work, under alembic as under topchef-db."""

from topchef_schema.bridge.standard import run

run()
